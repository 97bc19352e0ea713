package repository

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// channel carries events between replicas. A payload is the sender's id and, for each
// event, the queue, whether it changed, how many messages become visible and after how
// many milliseconds:
//
//	R4ND0M 12345,0,10,0 67890,1,0,0
const channel = "tusq"

// maxPayload is below PostgreSQL's limit of 8000 bytes.
const maxPayload = 7900

// Notify tells the other replicas. NOTIFY makes a transaction of its own, which need
// not be on disk: what it says is already.
func (r *Repository) Notify(ctx context.Context, events []service.Event) error {
	batch := &pgx.Batch{}
	batch.Queue(`SET LOCAL synchronous_commit = off`)
	for _, payload := range payloads(r.id, events) {
		batch.Queue(`SELECT pg_notify($1, $2)`, channel, payload)
	}
	err := pgx.BeginFunc(ctx, r.cold, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	if err != nil {
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
	if e.Changed {
		changed = "1"
	}
	return strings.Join([]string{strconv.FormatInt(e.QueueID, 10), changed,
		strconv.Itoa(e.Visible), strconv.FormatInt(e.After.Milliseconds(), 10)}, ",")
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
		events = append(events, service.Event{QueueID: id, Changed: parts[1] == "1",
			Visible: visible, After: time.Duration(after) * time.Millisecond})
	}
	return fields[0], events
}

// Listen hands on what other replicas notify, until ctx ends or the connection is lost.
func (r *Repository) Listen(ctx context.Context, ready func(), receive func(service.Event)) error {
	conn, err := pgx.ConnectConfig(ctx, r.cold.Config().ConnConfig)
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
		for _, e := range events {
			receive(e)
		}
	}
}
