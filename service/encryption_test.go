package service_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// canary is in every message of these tests, and must not be in the database.
const canary = "canary-4711"

// encrypted is a service with encrypted queues.
type encrypted struct {
	*service.Service
	t   *testing.T
	ctx context.Context
	url string
	log *slog.Logger // nil: the test's
}

func setupEncrypted(t *testing.T, master service.Secret, queues ...string) *encrypted {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w := &encrypted{t: t, ctx: ctx, url: pgtest.New(t)}
	w.start(master)
	for _, queue := range queues {
		w.create(queue, service.QueueChange{Encryption: new(service.EncryptionBody)})
	}
	return w
}

// start has the world served with other master keys; none: "".
func (w *encrypted) start(masters ...service.Secret) {
	w.t.Helper()
	opts := service.Options{Account: testservice.Account, Logger: w.log}
	var texts []string
	for _, master := range masters {
		texts = append(texts, master.Reveal())
	}
	if text := strings.Join(texts, ","); text != "" {
		opts.MasterKeys = masterKeys(w.t, text)
	}
	w.Service = testservice.On(w.t, w.url, opts)
}

func (w *encrypted) create(queue string, change service.QueueChange) {
	w.t.Helper()
	if _, _, err := w.CreateQueue(w.ctx, admin, service.CreateQueue{Name: queue, QueueChange: change}); err != nil {
		w.t.Fatalf("create %s: %v", queue, err)
	}
}

func (w *encrypted) update(queue string, change service.QueueChange) {
	w.t.Helper()
	if _, err := w.UpdateQueue(w.ctx, admin, queue, change); err != nil {
		w.t.Fatalf("update %s: %v", queue, err)
	}
}

// secret is a message with the canary in all that is encrypted.
func secret(name string) service.SendMessage {
	return service.SendMessage{
		Body:       name + " " + canary,
		Attributes: map[string]service.Attribute{"color": {Type: "String", Value: canary}},
	}
}

func (w *encrypted) send(queue string, messages ...service.SendMessage) {
	w.t.Helper()
	sent, err := w.SendMessages(w.ctx, admin, queue, service.SendMessages{Messages: messages})
	for _, s := range sent {
		err = errors.Join(err, s.Err)
	}
	if err != nil {
		w.t.Fatalf("send to %s: %v", queue, err)
	}
}

// receive returns the bodies, in order, and checks the attributes.
func (w *encrypted) receive(queue string, receive service.ReceiveMessages) []string {
	w.t.Helper()
	receive.Max = 100
	messages, err := w.ReceiveMessages(w.ctx, admin, queue, receive)
	if err != nil {
		w.t.Fatalf("receive from %s: %v", queue, err)
	}
	bodies := make([]string, len(messages))
	for i, m := range messages {
		bodies[i] = m.Body
		if m.Attributes["color"].Value != canary {
			w.t.Errorf("%s has the attributes %v", m.Body, m.Attributes)
		}
	}
	slices.Sort(bodies)
	return bodies
}

func (w *encrypted) want(queue string, receive service.ReceiveMessages, names ...string) {
	w.t.Helper()
	for i := range names {
		names[i] += " " + canary
	}
	if got := w.receive(queue, receive); !slices.Equal(got, names) {
		w.t.Errorf("received %q from %s, want %q", got, queue, names)
	}
}

func (w *encrypted) exec(statement string, args ...any) {
	w.t.Helper()
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if tag, err := conn.Exec(w.ctx, statement, args...); err != nil || tag.RowsAffected() == 0 {
		w.t.Fatalf("%s: %v, %v", statement, tag, err)
	}
}

// wantHidden checks that no row of the database has the canary.
func (w *encrypted) wantHidden() {
	w.t.Helper()
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, _ := conn.Query(w.ctx, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 8 {
		w.t.Fatal(tables, err)
	}
	for _, table := range tables {
		var found int
		err := conn.QueryRow(w.ctx, `SELECT count(*) FROM `+table+` AS t WHERE t::text LIKE '%' || $1 || '%'`, canary).Scan(&found)
		if err != nil || found > 0 {
			w.t.Errorf("%d rows of %s show the canary; %v", found, table, err)
		}
	}
}

func TestEncryptedMessages(t *testing.T) {
	w := setupEncrypted(t, service.NewMasterKey(), "jobs", "jobs.fifo")
	w.send("jobs", secret("one"), secret("two"), service.SendMessage{Body: "-", Attributes: secret("").Attributes})
	ordered := secret("three")
	ordered.GroupID, ordered.DeduplicationID = "g", "d"
	w.send("jobs.fifo", ordered)
	w.wantHidden()
	page, err := w.PeekMessages(w.ctx, admin, "jobs", service.PeekMessages{})
	if err != nil || len(page.Messages) != 3 || page.Messages[0].Body != "one "+canary || page.Messages[0].Attributes["color"].Value != canary {
		t.Errorf("peeked at %+v, %v", page, err)
	}
	if got := w.receive("jobs", service.ReceiveMessages{}); len(got) != 3 || got[0] != "-" {
		t.Errorf("received %q", got)
	}
	attempt := service.ReceiveMessages{AttemptID: "a"}
	w.want("jobs.fifo", attempt, "three")
	w.want("jobs.fifo", attempt, "three") // again
}

// A receiver that waits is handed what is sent, which is stored encrypted.
func TestEncryptedHandOff(t *testing.T) {
	w := setupEncrypted(t, service.NewMasterKey(), "jobs")
	got := make(chan []string, 1)
	go func() { got <- w.receive("jobs", service.ReceiveMessages{Wait: new(20 * time.Second)}) }()
	for w.Waiting() == 0 && len(got) == 0 {
		time.Sleep(time.Millisecond)
	}
	w.send("jobs", secret("one"))
	if bodies := <-got; !slices.Equal(bodies, []string{"one " + canary}) {
		t.Errorf("handed over %q", bodies)
	}
	w.wantHidden()
}

// Moved messages are read in the other queue, encrypted or not, when their own is long gone.
func TestEncryptedMessagesMove(t *testing.T) {
	w := setupEncrypted(t, service.NewMasterKey(), "jobs")
	w.create("dead", service.QueueChange{})
	w.create("plain", service.QueueChange{})
	w.update("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1}})
	w.send("jobs", secret("one"))
	for range 2 {
		w.receive("jobs", service.ReceiveMessages{Visibility: new(time.Duration(0))})
	}
	w.send("dead", service.SendMessage{Body: "plain " + "words", Attributes: secret("").Attributes})
	got := w.receive("dead", service.ReceiveMessages{Visibility: new(time.Duration(0))})
	if !slices.Equal(got, []string{"one " + canary, "plain words"}) {
		t.Errorf("the dead-letter queue has %q", got)
	}
	if _, err := w.StartRedrive(w.ctx, admin, service.StartRedrive{Source: "dead", Destination: "plain"}); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteQueue(w.ctx, admin, "jobs"); err != nil {
		t.Fatal(err)
	}
	var moved []string
	for len(moved) < 2 && w.ctx.Err() == nil {
		moved = append(moved, w.receive("plain", service.ReceiveMessages{Wait: new(time.Second)})...)
	}
	if !slices.Contains(moved, "one "+canary) {
		t.Errorf("moved %q", moved)
	}
}

func TestEncryptionBeginsAndEnds(t *testing.T) {
	w := setupEncrypted(t, service.NewMasterKey())
	w.create("jobs", service.QueueChange{})
	for i, kind := range []service.Encryption{service.EncryptionBody, service.EncryptionBody, service.EncryptionNone, service.EncryptionBody} {
		w.update("jobs", service.QueueChange{Encryption: &kind})
		queue, err := w.GetQueue(w.ctx, admin, "jobs")
		if err != nil || queue.Settings.Encryption != kind {
			t.Errorf("step %d: %v, %v", i, queue.Settings.Encryption, err)
		}
		w.send("jobs", secret(string(rune('a'+i))))
	}
	w.want("jobs", service.ReceiveMessages{}, "a", "b", "c", "d")
	_, _, err := w.CreateQueue(w.ctx, admin, service.CreateQueue{Name: "jobs", QueueChange: service.QueueChange{Encryption: new(service.EncryptionNone)}})
	if codeOf(err) != service.CodeQueueExists {
		t.Errorf("made again with another encryption: %v", err)
	}
	if _, err := w.UpdateQueue(w.ctx, admin, "jobs", service.QueueChange{Encryption: new(service.Encryption("all"))}); codeOf(err) != service.CodeInvalidParameter {
		t.Errorf("an unknown kind: %v", err)
	}
}

// Without its master key nothing is sent in the clear, nothing is received as it is stored, and
// nothing is lost.
func TestMasterKeyMissing(t *testing.T) {
	master := service.NewMasterKey()
	w := setupEncrypted(t, master, "jobs")
	w.send("jobs", secret("one"))
	for _, wrong := range []service.Secret{"", service.NewMasterKey()} {
		w.start(wrong)
		_, err := w.SendMessages(w.ctx, admin, "jobs", service.SendMessages{Messages: []service.SendMessage{secret("two")}})
		if codeOf(err) != service.CodeMasterKeyMissing {
			t.Errorf("sent: %v", err)
		}
		if got, err := w.ReceiveMessages(w.ctx, admin, "jobs", service.ReceiveMessages{Max: 1}); codeOf(err) != service.CodeMasterKeyMissing {
			t.Errorf("received %v, %v", got, err)
		}
		if got, err := w.PeekMessages(w.ctx, admin, "jobs", service.PeekMessages{}); codeOf(err) != service.CodeMasterKeyMissing {
			t.Errorf("peeked at %v, %v", got, err)
		}
	}
	w.start("")
	_, _, err := w.CreateQueue(w.ctx, admin, service.CreateQueue{Name: "more", QueueChange: service.QueueChange{Encryption: new(service.EncryptionBody)}})
	if codeOf(err) != service.CodeMasterKeyMissing {
		t.Errorf("made an encrypted queue: %v", err)
	}
	w.start(master)
	w.want("jobs", service.ReceiveMessages{Wait: new(5 * time.Second)}, "one")
}

// A new master key takes over what older ones have sealed, which are not needed afterwards.
func TestMasterKeyRotationOfDataKeys(t *testing.T) {
	old, fresh := service.NewMasterKey(), service.NewMasterKey()
	w := setupEncrypted(t, old, "jobs")
	w.send("jobs", secret("one"))
	w.start(fresh, old)
	w.start(fresh)
	w.want("jobs", service.ReceiveMessages{}, "one")
}

// Data keys that stay sealed by a master key that is not given are told of, as long as it is not.
func TestDataKeysThatStaySealed(t *testing.T) {
	old, fresh := service.NewMasterKey(), service.NewMasterKey()
	w := setupEncrypted(t, old, "jobs", "others")
	for _, masters := range [][]service.Secret{{fresh}, {fresh}, {fresh, old}, {fresh}} {
		log := &logged{}
		w.log = slog.New(slog.NewTextHandler(log, nil))
		w.start(masters...)
		warned := log.count("level=WARN msg=\"data keys") == 1 && log.count("data_keys=2") == 1
		if missing := w.missing("jobs"); warned != missing {
			t.Errorf("warned: %v; the master key is missing: %v", warned, missing)
		}
	}
}

// missing tells whether the master key of a queue is missing.
func (w *encrypted) missing(queue string) bool {
	w.t.Helper()
	_, err := w.SendMessages(w.ctx, admin, queue, service.SendMessages{Messages: []service.SendMessage{{Body: "x"}}})
	if err != nil && codeOf(err) != service.CodeMasterKeyMissing {
		w.t.Errorf("send to %s: %v", queue, err)
	}
	return err != nil
}

// A message that was changed in the database is not delivered, and does not hold up the others.
func TestTamperedMessages(t *testing.T) {
	w := setupEncrypted(t, service.NewMasterKey(), "jobs", "others")
	w.send("others", secret("foreign"))
	for name, change := range map[string]string{
		"a byte":         `body = 'AAAA' || substr(body, 5)`,
		"not base64":     `body = '!' || body`,
		"cut":            `body = substr(body, 1, 8)`,
		"another's body": `body = (SELECT o.body FROM messages o JOIN queues q ON q.id = o.queue_id WHERE q.name = 'others')`,
		"another's key":  `attributes = (SELECT o.attributes FROM messages o JOIN queues q ON q.id = o.queue_id WHERE q.name = 'others')`,
		"no such key":    `attributes = '17'`,
		"no key":         `attributes = '[]'`,
	} {
		w.send("jobs", secret("bad"))
		w.exec(`UPDATE messages m SET ` + change + ` FROM queues q WHERE q.id = m.queue_id AND q.name = 'jobs'`)
		w.send("jobs", secret("good"))
		if got := w.receive("jobs", service.ReceiveMessages{}); !slices.Equal(got, []string{"good " + canary}) {
			t.Errorf("%s: received %q", name, got)
		}
		if _, err := w.PurgeQueue(w.ctx, admin, service.PurgeQueue{Name: "jobs"}); err != nil {
			t.Fatal(err)
		}
	}
}

// What is encrypted for one account is not decrypted for another, whoever writes its rows there: neither
// a message, nor messages to come, by the data key of another account's queue.
func TestEncryptionKeepsAccountsApart(t *testing.T) {
	master := service.NewMasterKey()
	w := setupEncrypted(t, master, "jobs")
	thief := service.Owner("111111111111")
	_, _, err := w.CreateQueue(w.ctx, thief, service.CreateQueue{Name: "copies", QueueChange: service.QueueChange{Encryption: new(service.EncryptionBody)}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(caller service.Caller, queue, body string) error {
		sent, err := w.SendMessages(w.ctx, caller, queue, service.SendMessages{Messages: []service.SendMessage{{Body: body}}})
		for _, s := range sent {
			err = errors.Join(err, s.Err)
		}
		return err
	}
	w.send("jobs", secret("one"))
	if err := send(thief, "copies", "of the thief's own"); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE messages m SET body = o.body, attributes = o.attributes FROM queues q, messages o, queues p
		WHERE q.id = m.queue_id AND q.name = 'copies' AND p.id = o.queue_id AND p.name = 'jobs'`)
	for _, when := range []string{"the data key is open", "it is not"} {
		page, err := w.PeekMessages(w.ctx, thief, "copies", service.PeekMessages{})
		if err != nil || len(page.Messages) != 0 {
			t.Errorf("%s: peeked at %+v, %v", when, page, err)
		}
		got, err := w.ReceiveMessages(w.ctx, thief, "copies", service.ReceiveMessages{Max: 1, Visibility: new(time.Duration(0))})
		if err != nil || len(got) != 0 {
			t.Errorf("%s: received %+v, %v", when, got, err)
		}
		w.start(master)
	}
	w.exec(`UPDATE queues q SET data_key = p.data_key FROM queues p WHERE q.name = 'jobs' AND p.name = 'copies'`)
	w.start(master)
	if err := send(admin, "jobs", "two"); err == nil {
		t.Error("sent by another account's data key")
	}
	w.want("jobs", service.ReceiveMessages{}, "one")
}
