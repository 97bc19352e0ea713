package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
	"tusq/test/fault/replica"
)

const (
	bound = 20 * time.Second // of one try
	// repetitions is how often a caller repeats a call that was answered with an error.
	repetitions = 3
)

var caller = replica.Caller

// world is a replica behind a proxy, with one queue and one message at a time.
type world struct {
	*replica.Replica
	proxy     *Proxy
	db        *pgx.Conn // beside the proxy
	operation operation
	n         int // of the try
	told      int // errors that callers saw

	message service.Message    // that was received
	sent    string             // the id of the message that was sent
	receive chan receiveAnswer // of the receiver that waits
}

type receiveAnswer struct {
	messages []service.Message
	err      error
}

func open(ctx context.Context, databaseURL string, operation operation) (w *world, err error) {
	w = &world{operation: operation}
	if w.proxy, err = NewProxy(ctx, databaseURL); err != nil {
		return nil, err
	}
	if w.db, err = pgx.Connect(ctx, databaseURL); err != nil {
		w.proxy.Close()
		return nil, err
	}
	w.Replica, err = replica.Start(ctx, replica.Options{URL: w.proxy.URL(), Flushes: 1})
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	for _, create := range slices.Backward(operation.queues) { // a queue's dead-letter queue is there before it
		if _, _, err := w.CreateQueue(ctx, caller, create); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

func (w *world) close() error {
	var err error
	if w.Replica != nil {
		err = w.Stop()
	}
	w.proxy.Close()
	return errors.Join(err, w.db.Close(context.Background()))
}

// queue is the queue that the operation is about.
func (w *world) queue() string { return w.operation.queues[0].Name }

// try carries the operation out once, with a cut, and looks at what has happened.
func (w *world) try(ctx context.Context, cut Cut) (fired bool, length int, err error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	w.n++
	if err := w.operation.prepare(ctx, w); err != nil {
		return false, 0, fmt.Errorf("prepare: %w", err)
	}
	w.proxy.Arm(cut)
	err = w.operation.act(ctx, w)
	fired, length = w.proxy.Disarm()
	if err != nil {
		return fired, length, err
	}
	if err := w.operation.check(ctx, w); err != nil {
		return fired, length, err
	}
	return fired, length, w.wantEmpty(ctx)
}

// repeat carries out a call, again where its answer is that it may not have been carried out.
func (w *world) repeat(call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		if err == nil || service.ErrorCode(err) != service.CodeUnavailable || attempt == repetitions {
			return err
		}
		w.told++
	}
}

// wantStats checks the counts of a queue, which each flush changes beside the messages.
func (w *world) wantStats(ctx context.Context, queue string, want service.Stats) error {
	got, err := w.GetQueueStats(ctx, caller, queue)
	if err == nil && got != want {
		err = fmt.Errorf("%s holds %+v, want %+v", queue, got, want)
	}
	return err
}

// wantEmpty checks that the database holds no message and counts none.
func (w *world) wantEmpty(ctx context.Context) error {
	var messages, counted int
	err := w.db.QueryRow(ctx, `
SELECT (SELECT count(*) FROM messages), (SELECT coalesce(sum(messages), 0) FROM queue_counters)`).Scan(&messages, &counted)
	if err == nil && (messages != 0 || counted != 0) {
		err = fmt.Errorf("%d messages are left, and %d are counted", messages, counted)
	}
	return err
}
