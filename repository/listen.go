package repository

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/faultpoint"
	"tusq/service"
)

// channel carries events between replicas. A payload is the sender's id and, for each
// event, the queue, whether it changed, how many messages become visible, after how
// many milliseconds, and how many milliseconds ago their transaction began:
//
//	R4ND0M 12345,0,10,0,4 67890,1,0,0,0
//
// That keys or users have changed is an event of queue 0, which does not exist. A greeting is the sender's id and a question mark.
const (
	channel  = "tusq"
	greeting = " ?"
)

// maxPayload is below PostgreSQL's limit of 8000 bytes.
const maxPayload = 7900

// Notify tells the other replicas of events or, without any, that this one is there. What it says is on disk already, so its own commits
// need not be.
func (r *Repository) Notify(ctx context.Context, events []service.Event) error {
	for _, payload := range payloads(r.id, events) {
		if err := r.notify(ctx, payload); err != nil {
			return err
		}
	}
	return nil
}

// Greet asks who is there.
func (r *Repository) Greet(ctx context.Context) error { return r.notify(ctx, r.id+greeting) }

func (r *Repository) notify(ctx context.Context, payload string) error {
	if r.signals == nil { // nobody listens
		return nil
	}
	if err := faultpoint.Hit("repository.notify"); err != nil {
		return r.classify("notify", err)
	}
	if _, err := r.signals.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, payload); err != nil {
		return r.classify("notify", err)
	}
	return nil
}

// payloads writes events into as few payloads as they fit in.
func payloads(sender string, events []service.Event) []string {
	var all []string
	text := sender
	for _, e := range events {
		item := " " + encodeEvent(e)
		if len(text)+len(item) > maxPayload {
			all = append(all, text)
			text = sender
		}
		text += item
	}
	return append(all, text)
}

func encodeEvent(e service.Event) string {
	changed := "0"
	if e.Changed || e.Identity {
		changed = "1"
	}
	return strings.Join([]string{strconv.FormatInt(e.QueueID, 10), changed,
		strconv.Itoa(e.Visible), strconv.FormatInt(e.After.Milliseconds(), 10), strconv.FormatInt(eventAge(e), 10)}, ",")
}

// eventAge is how many milliseconds ago, at least, an event's transaction began.
func eventAge(e service.Event) int64 {
	if e.Since.IsZero() {
		return 0
	}
	return time.Since(e.Since).Milliseconds() + 1
}

// unknownAge is the age of events of which an older version of tusq does not tell it.
const unknownAge = time.Second

// eventSince is when an event's transaction began, by this replica's clock.
func eventSince(parts []string) time.Time {
	age := unknownAge
	if len(parts) > 4 {
		if ms, err := strconv.ParseInt(parts[4], 10, 64); err == nil {
			age = time.Duration(ms) * time.Millisecond
		}
	}
	return time.Now().Add(-age)
}

// decodePayload reads a payload; what it does not understand it passes over, so that
// replicas of different versions understand each other.
func decodePayload(payload string) (sender string, events []service.Event) {
	fields := strings.Fields(payload)
	if len(fields) == 0 {
		return "", nil
	}
	for _, item := range fields[1:] {
		parts := strings.Split(item, ",")
		if len(parts) < 4 {
			continue
		}
		id, err1 := strconv.ParseInt(parts[0], 10, 64)
		visible, err2 := strconv.Atoi(parts[2])
		after, err3 := strconv.ParseInt(parts[3], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		if id == 0 {
			events = append(events, service.Event{Identity: true, Since: eventSince(parts)})
			continue
		}
		events = append(events, service.Event{QueueID: id, Changed: parts[1] == "1",
			Visible: visible, After: time.Duration(after) * time.Millisecond, Since: eventSince(parts)})
	}
	return fields[0], events
}

// untilReconnect returns a context that ends at the next reconnect.
func (r *Repository) untilReconnect(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	leaving := r.reconnecting()
	go func() {
		select {
		case <-leaving:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Listen hands on what other replicas notify, until ctx ends or the connection is lost. Behind
// a pooler it fails with ErrNoSignals.
func (r *Repository) Listen(ctx context.Context, ready func(), heard func(greeting bool), receive func(service.Event)) error {
	if r.signals == nil {
		return service.ErrNoSignals
	}
	ctx, cancel := r.untilReconnect(ctx)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, r.signals.Config().ConnConfig)
	if err != nil {
		return r.classify("listen", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return r.classify("listen", err)
	}
	ready()
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return r.classify("listen", err)
		}
		sender, events := decodePayload(notification.Payload)
		if sender == r.id {
			continue
		}
		heard(strings.HasSuffix(notification.Payload, greeting))
		for _, e := range events {
			receive(e)
		}
	}
}
