package secrets

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestSecretsAreNotSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queues()
	w.messages()
	w.badMessages()
	w.tokens()
	w.keys()
	w.users()
	w.sqs()
	w.commands()
	w.badConfiguration()
	w.tamper()
	w.outage()
	w.failStatements()
	w.look()
	w.logValues()
	w.crash()
	w.search()
	w.wantSeen()
}

// tamper changes an encrypted message in the database, which its receiver's replica then tells.
func (w *world) tamper() {
	w.t.Helper()
	w.ask(request{method: "POST", url: w.second.url + "/v1/queues/sealed/messages", body: message(w.sealedBody, w.sealedBody), want: 200})
	w.postgres.exec(w.t, `UPDATE messages SET body = 'B' || substr(body, 2) WHERE queue_id = (SELECT id FROM queues WHERE name = 'sealed')`)
	w.ask(request{method: "POST", url: w.second.url + "/v1/queues/sealed/messages/receive", body: `{"max": 10}`, shows: true, want: 200})
}

// outage takes the database away from the first replica.
func (w *world) outage() {
	w.t.Helper()
	w.line.Cut()
	for range 3 {
		w.ask(request{method: "POST", url: w.first.url + "/v1/queues/orders/messages", body: message(w.body, w.attribute), want: 503})
		w.ask(request{method: "POST", url: w.first.url + "/v1/keys", body: `{"name": "x", "actions": ["*"], "queues": ["*"]}`, want: 503})
	}
	w.run(command{args: strings.Fields("key list"), fails: true})
	w.run(command{args: strings.Fields("send orders --no-create --lines -"), stdin: "", env: []string{"TUSQ_URL=https://127.0.0.1:1"}, fails: true})
	w.line.Mend()
	deadline := time.Now().Add(20 * time.Second)
	for w.status(w.first.url+"/readyz") != 200 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
}

// failStatements has PostgreSQL refuse a message for what it holds.
func (w *world) failStatements() {
	w.t.Helper()
	send := request{method: "POST", url: w.second.url + "/v1/queues/orders/messages", body: message(w.body, w.attribute)}
	w.postgres.exec(w.t, `ALTER TABLE messages ADD CONSTRAINT no_body CHECK (body !~ 'abody') NOT VALID`)
	w.ask(send)
	w.postgres.exec(w.t, `ALTER TABLE messages DROP CONSTRAINT no_body`)
	send.want = 200
	w.ask(send)
}

// logValues has PostgreSQL log as it does unless it is told otherwise: with the rows that it refuses. It is
// what docs/operations.md warns of, and shows that a body in that log would have been found.
func (w *world) logValues() {
	w.t.Helper()
	config := w.postgres.root.Config().Copy()
	config.RuntimeParams["log_error_verbosity"] = "default"
	conn, err := pgx.ConnectConfig(w.t.Context(), config)
	must(w.t, err)
	defer conn.Close(w.t.Context())
	_, err = conn.Exec(w.t.Context(), `UPDATE messages SET id = NULL WHERE body = $1`, w.body)
	if err == nil {
		w.t.Error("a message has no id")
	}
	deadline := time.Now().Add(20 * time.Second) // the error is answered before the process that collects the log has written it
	for {
		log := w.postgres.log(w.t)
		if strings.Contains(log, w.body) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Errorf("the log of PostgreSQL shows no values:\n%.2000s", log[max(0, len(log)-2000):])
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// look looks at what the replicas and the database show of themselves.
func (w *world) look() {
	w.t.Helper()
	for _, form := range []string{"", " --json"} {
		w.run(command{args: strings.Fields("audit --max 0" + form)})
	}
	w.ask(request{method: "GET", url: w.second.url + "/v1/audit", want: 200})
	for _, r := range []*replica{w.first, w.second} {
		for _, path := range []string{"/metrics", "/openapi.json", "/docs", "/console", "/livez", "/readyz"} {
			want := 200
			if path == "/console" {
				want = 303
			}
			w.ask(request{method: "GET", url: r.url + path, want: want})
		}
		for path, want := range map[string]int{"": 200, "goroutine?debug=2": 200, "goroutine?debug=1": 200, "heap?debug=1": 200, "cmdline": 404, "symbol": 404} {
			w.ask(request{method: "GET", url: r.profiles + "/debug/pprof/" + path, want: want})
		}
	}
	w.record(theTables, w.postgres.dump(w.t))
	w.record(theProcesses, w.processes.String())
	w.record("the log of PostgreSQL", w.postgres.log(w.t))
}

// crash has the replicas say what they were doing.
func (w *world) crash() {
	w.t.Helper()
	w.first.end(syscall.SIGQUIT)
	w.second.end(syscall.SIGABRT)
	for name, r := range map[string]*replica{"first": w.first, "second": w.second} {
		if !strings.Contains(r.log.String(), "goroutine ") {
			w.t.Errorf("the %s replica has not said what it was doing", name)
		}
		w.record("the log of the "+name+" replica", r.log.String())
		w.record("the standard output of the "+name+" replica", r.out.String())
	}
}

// wantSeen fails where nothing was found because nothing was there.
func (w *world) wantSeen() {
	w.t.Helper()
	for where, texts := range map[string][]string{
		theTables:                         {w.body, w.attribute, w.admin.KeyID, "$argon2id$"},
		theProcesses:                      {"--profile-listen", "postgres: "},
		"the log of the first replica":    {`"level":"DEBUG"`, `"action":"sendMessages"`, `"status":503`, `"action":"createKey"`},
		"the log of the second replica":   {"level=DEBUG", "action=SendMessage", "an encrypted message cannot be read", `no_body`},
		"the log of PostgreSQL":           {"duration: ", "no_body", "password authentication failed", "STATEMENT: "},
		"tusq --help: standard output":    {"TUSQ_URL"},
		"answer 200 to GET /v1/audit":     {"[looks like a receipt]", `"forbidden"`, `"sign_in"`, `"create_key"`, `"action":"delete_queue"`},
		"answer 200 to GET /metrics":      {"tusq_"},
		"answer 200 to GET /openapi.json": {"createKey"},
	} {
		for _, text := range texts {
			if !strings.Contains(w.seen[where], text) {
				w.t.Errorf("%s does not show %q:\n%.2000s", where, text, w.seen[where])
			}
		}
	}
}
