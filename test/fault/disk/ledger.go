package disk

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ledger is what clients asked for and what they were told, by the messages' bodies.
type ledger struct {
	mu      sync.Mutex
	entries map[string]*entry
}

// entry is one message's. A zero time: that was not acknowledged.
type entry struct {
	sent, deleted time.Time
	maybeDeleted  bool // a delete was asked for
	kept          bool // an earlier audit found it
}

func newLedger() *ledger { return &ledger{entries: map[string]*entry{}} }

// ask notes that messages are about to be sent.
func (l *ledger) ask(bodies []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, body := range bodies {
		l.entries[body] = &entry{}
	}
}

// change notes something of a message.
func (l *ledger) change(body string, change func(*entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[body]
	if e == nil { // of nothing that was sent: Audit tells
		e = &entry{}
		l.entries[body] = e
	}
	change(e)
}

// Audit compares what was acknowledged with what the database holds.
type Audit struct {
	Acknowledged int // sends
	Deleted      int // acknowledged deletes
	Unknown      int // sends whose callers know nothing; both outcomes are right
	Lost         int // acknowledged, never deleted, and not there
	Resurrected  int // the delete was acknowledged, and it is there
	Phantom      int // there, and never sent
	Double       int // there more than once
	Counted      int // by the counters, more or less than there are
	// Window is how long before the fault the first acknowledgement was that did not hold.
	Window time.Duration
}

// add adds what another audit found.
func (a *Audit) add(b Audit) {
	a.Acknowledged += b.Acknowledged
	a.Deleted += b.Deleted
	a.Unknown += b.Unknown
	a.Lost += b.Lost
	a.Resurrected += b.Resurrected
	a.Phantom += b.Phantom
	a.Double += b.Double
	a.Counted += b.Counted
	a.Window = max(a.Window, b.Window)
}

// Clean tells that nothing is wrong.
func (a Audit) Clean() bool {
	return a.Lost+a.Resurrected+a.Phantom+a.Double == 0 && a.Counted == 0
}

func (a Audit) String() string {
	text := fmt.Sprintf("%d sends and %d deletes acknowledged, %d unknown: %d lost, %d resurrected, %d phantom, %d double, counters off by %d",
		a.Acknowledged, a.Deleted, a.Unknown, a.Lost, a.Resurrected, a.Phantom, a.Double, a.Counted)
	if a.Window > 0 {
		text += fmt.Sprintf(", of the last %s", a.Window.Round(time.Millisecond))
	}
	return text
}

// audit looks at the messages of a database, whatever their state, while no call is under way. fault is when the fault
// was. What is there is what the next audit begins with: nothing is counted twice.
func (l *ledger) audit(ctx context.Context, db *pgx.Conn, fault time.Time) (Audit, error) {
	stored, counted, err := read(ctx, db)
	if err != nil {
		return Audit{}, fmt.Errorf("audit: %w", err)
	}
	var a Audit
	l.mu.Lock()
	defer l.mu.Unlock()
	total := 0
	for body, times := range stored {
		total += times
		a.Double += times - 1
		if l.entries[body] == nil {
			a.Phantom++
		}
	}
	a.Counted = counted - total
	for body, e := range l.entries {
		a.judge(e, stored[body] > 0, fault)
	}
	l.entries = make(map[string]*entry, len(stored))
	for body := range stored {
		l.entries[body] = &entry{sent: fault, kept: true}
	}
	return a, nil
}

// judge counts one message.
func (a *Audit) judge(e *entry, there bool, fault time.Time) {
	var broken time.Time
	switch {
	case e.kept:
	case e.sent.IsZero():
		a.Unknown++
	default:
		a.Acknowledged++
	}
	if !e.deleted.IsZero() {
		a.Deleted++
	}
	switch {
	case !e.deleted.IsZero() && there:
		a.Resurrected++
		broken = e.deleted
	case !e.sent.IsZero() && !e.maybeDeleted && !there:
		a.Lost++
		broken = e.sent
	}
	if !broken.IsZero() {
		a.Window = max(a.Window, fault.Sub(broken))
	}
}

// read returns how often each body is stored and how many messages the counters count.
func read(ctx context.Context, db *pgx.Conn) (stored map[string]int, counted int, err error) {
	stored = map[string]int{}
	rows, _ := db.Query(ctx, `SELECT body FROM messages`)
	var body string
	_, err = pgx.ForEachRow(rows, []any{&body}, func() error {
		name, _, _ := strings.Cut(body, " ")
		stored[name]++
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	err = db.QueryRow(ctx, `SELECT coalesce(sum(messages), 0)::bigint FROM queue_counters`).Scan(&counted)
	return stored, counted, err
}
