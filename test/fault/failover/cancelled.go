package failover

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/client"
)

// Cancellation is what became of commits that PostgreSQL gave up to wait for. It then reports success, with a warning,
// for what the standby does not have.
type Cancellation struct {
	Cancelled    int // waits
	Sends        int // messages that were sent meanwhile
	Acknowledged int // of them, while the standby stood still
	Lost         int // that were acknowledged at any time, and are not on the standby
}

// String is one line with the figures.
func (c Cancellation) String() string {
	return fmt.Sprintf("%d cancelled waits: %d sends, %d acknowledged without the standby; %d lost after its promotion",
		c.Cancelled, c.Sends, c.Acknowledged, c.Lost)
}

const (
	queue   = "cancelled"
	senders = 4
)

// ledger is the messages that were acknowledged.
type ledger struct {
	mu    sync.Mutex
	ids   []string
	sends atomic.Int64
}

// Cancelled halts the standby, cancels so many waits of commits for it, kills the primary, lets the standby go on, promotes it, and
// compares what it has with what was acknowledged.
func Cancelled(ctx context.Context, o Options) (result Cancellation, err error) {
	pair, err := newPair(ctx, o.Dir)
	if err != nil {
		return result, err
	}
	defer pair.close()
	urls, stop, err := startReplicas(ctx, o, pair.URL(), 1)
	if err != nil {
		return result, err
	}
	defer stop()
	c, err := client.New(urls[0], client.WithRetry(0))
	if err != nil {
		return result, err
	}
	if _, _, err := c.CreateQueue(ctx, client.CreateQueue{Name: queue}); err != nil {
		return result, err
	}
	var book ledger
	for range senders { // which are to be found at the end
		if err := book.send(ctx, c); err != nil {
			return result, err
		}
	}
	if err := pair.AwaitQuorum(ctx); err != nil {
		return result, err
	}
	before := len(book.ids)
	if result.Cancelled, err = cancelUnderLoad(ctx, pair, o.Times, c, &book); err != nil {
		return result, err
	}
	result.Sends, result.Acknowledged = int(book.sends.Load())-before, len(book.ids)-before
	pair.servers[pair.primary].Kill()
	if err := pair.signal(syscall.SIGCONT); err != nil {
		return result, err
	}
	if err := pair.fail(ctx); err != nil {
		return result, err
	}
	result.Lost, err = pair.missing(ctx, book.ids)
	return result, err
}

// send sends a message and notes it when it is acknowledged.
func (l *ledger) send(ctx context.Context, c *client.Client) error {
	sent, err := c.Send(ctx, queue, client.SendMessage{Body: strconv.FormatInt(l.sends.Add(1), 10)})
	if err == nil {
		l.mu.Lock()
		l.ids = append(l.ids, sent.ID)
		l.mu.Unlock()
	}
	return err
}

// cancelUnderLoad halts the standby and cancels waits for it while clients send.
func cancelUnderLoad(ctx context.Context, pair *pair, times int, c *client.Client, book *ledger) (cancelled int, err error) {
	if err := pair.signal(syscall.SIGSTOP); err != nil {
		return 0, err
	}
	sending, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for range senders {
		clients.Go(func() {
			for sending.Err() == nil {
				_ = book.send(sending, c) // it fails: nobody waits for a standby for ever
			}
		})
	}
	defer clients.Wait()
	defer stop()
	conn, err := pair.servers[pair.primary].Connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for cancelled < times {
		n, err := cancelWaits(ctx, conn)
		if err != nil {
			return cancelled, err
		}
		cancelled += n
		if err := calm(ctx, 2*time.Millisecond); err != nil {
			return cancelled, errors.Join(fmt.Errorf("%d waits cancelled", cancelled), err)
		}
	}
	return cancelled, nil
}

// cancelWaits cancels all waits for the standby that there are, and returns how many.
func cancelWaits(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, `
SELECT count(pg_cancel_backend(pid))
FROM pg_stat_activity
WHERE wait_event = 'SyncRep' AND application_name LIKE 'tusq flush %'`).Scan(&n)
	return n, err
}
