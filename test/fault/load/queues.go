package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"tusq/test/fault/history"
)

// CreateQueues makes the queues and their dead-letter queues. While the service is away it tries again; it fails when
// it is refused, or when ctx ends.
func CreateQueues(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	shared := newHTTP(1)
	defer shared.CloseIdleConnections()
	c := newClient(&o, 0, shared, "")
	for _, q := range o.Queues {
		if dead := q.DeadLetter(); dead != "" {
			if err := c.create(ctx, Queue{Name: dead}); err != nil {
				return err
			}
		}
		if err := c.create(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) create(ctx context.Context, q Queue) error {
	body := fmt.Appendf(nil, `{"name":%q,"visibility_timeout":%d`, q.Name, c.MaxVisibility)
	if dead := q.DeadLetter(); dead != "" {
		body = fmt.Appendf(body, `,"dead_letter":{"queue":%q,"max_receives":%d}`, dead, q.MaxReceives)
	}
	r := restRequest(http.MethodPost, q.Name, "", append(body, '}'))
	r.path = "/v1/queues"
	for {
		e, _ := c.call(ctx, rest{}, "", q.Name, r)
		switch e.Outcome {
		case history.OK:
			return nil
		case history.Fail:
			return fmt.Errorf("create queue %s: %d %s", q.Name, e.Status, e.Error)
		}
		c.errors++
		c.backOff(ctx)
		if err := ctx.Err(); err != nil {
			return errors.Join(fmt.Errorf("create queue %s: %s %s", q.Name, e.Outcome, e.Error), err)
		}
	}
}
