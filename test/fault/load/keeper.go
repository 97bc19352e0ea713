package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tusq/test/fault/history"
)

// keeper purges and redrives queues now and then.
type keeper struct{ *client }

func (k *keeper) work(ctx context.Context) {
	purge, redrive := time.Now().Add(k.PurgeEvery), time.Now().Add(k.RedriveEvery)
	for sleep(ctx, 100*time.Millisecond) {
		if k.PurgeEvery > 0 && time.Now().After(purge) {
			purge = purge.Add(k.PurgeEvery)
			k.each(func(q Queue) bool { return q.Purge }, func(q Queue) { k.purge(ctx, q.Name) })
		}
		if k.RedriveEvery > 0 && time.Now().After(redrive) {
			redrive = redrive.Add(k.RedriveEvery)
			k.each(func(q Queue) bool { return q.Redrive }, func(q Queue) { k.redrive(ctx, q.DeadLetter()) })
		}
	}
}

func (k *keeper) each(is func(Queue) bool, use func(Queue)) {
	for _, q := range k.Queues {
		if is(q) {
			use(q)
		}
	}
}

func (k *keeper) purge(ctx context.Context, queue string) {
	s := k.surface()
	e, _ := k.call(ctx, s, history.Purge, queue, s.purge(queue))
	k.record(e)
}

// redrive starts to move the messages of a dead-letter queue to where they came from.
func (k *keeper) redrive(ctx context.Context, queue string) {
	e, _ := k.call(ctx, rest{}, history.Redrive, queue, restRequest(http.MethodPost, queue, "/redrive", nil))
	k.record(e)
}

// look asks how many messages a queue holds.
func (c *client) look(ctx context.Context, queue string) (history.Event, error) {
	e, body := c.call(ctx, rest{}, history.Stats, queue, restRequest(http.MethodGet, queue, "/stats", nil))
	if e.Outcome == history.OK {
		e.Counts = new(history.Counts)
		if err := json.Unmarshal(body, e.Counts); err != nil {
			e.Outcome, e.Error, e.Counts = history.Unknown, errAnswer, nil
		}
	}
	if e.Outcome != history.OK {
		return e, fmt.Errorf("counts of queue %s: %s %s", queue, e.Outcome, e.Error)
	}
	return e, nil
}

// counts is a look that is no part of the history.
func (c *client) counts(ctx context.Context, queue string) (history.Counts, error) {
	e, err := c.look(ctx, queue)
	if err != nil {
		return history.Counts{}, err
	}
	return *e.Counts, nil
}

// stats is a look that is recorded.
func (c *client) stats(ctx context.Context, queue string) error {
	e, err := c.look(ctx, queue)
	c.record(e)
	return err
}

// redriven fails while messages of a dead-letter queue are being moved.
func (c *client) redriven(ctx context.Context, queue string) error {
	e, body := c.call(ctx, rest{}, history.Redrive, queue, restRequest(http.MethodGet, queue, "/redrives", nil))
	if e.Outcome != history.OK {
		return fmt.Errorf("redrives of queue %s: %s %s", queue, e.Outcome, e.Error)
	}
	var answer struct {
		Redrives []struct {
			EndedAt time.Time `json:"ended_at"`
		} `json:"redrives"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("redrives of queue %s: %w", queue, err)
	}
	for _, r := range answer.Redrives {
		if r.EndedAt.IsZero() {
			return fmt.Errorf("queue %s is being redriven", queue)
		}
	}
	return nil
}
