package peer

import (
	"context"
	"errors"
	"time"
)

// prefetch is how many messages a system that pushes may send ahead of what one worker has settled.
const prefetch = 100

var errClosed = errors.New("the connection was closed")

// take waits for a first message that was pushed, and returns it with those that are there already.
func take[T any](ctx context.Context, pushed <-chan T, limit int, delivery func(T) Delivery) ([]Delivery, error) {
	timeout := time.NewTimer(receiveWait)
	defer timeout.Stop()
	var taken []Delivery
	select {
	case first, ok := <-pushed:
		if !ok {
			return nil, errClosed
		}
		taken = append(taken, delivery(first))
	case <-timeout.C:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(taken) < limit {
		select {
		case next, ok := <-pushed:
			if !ok {
				return taken, nil
			}
			taken = append(taken, delivery(next))
		default:
			return taken, nil
		}
	}
	return taken, nil
}
