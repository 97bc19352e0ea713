package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"tusq/client"
)

const (
	defaultReceive = 10               // messages, where neither --max nor --wait is given
	firstReceive   = 100              // messages asked for before their size is known
	receiveBytes   = 4 << 20          // of bodies aimed at in one answer
	deletesAtOnce  = 2                // requests in flight beside the next receive
	longestLinger  = time.Minute      // for messages of a lost answer
	pollPause      = time.Second / 10 // after an answer that came empty before its time
)

// ReceiveCmd receives messages.
type ReceiveCmd struct {
	Queue             string `arg:"" help:"Queue to receive from."`
	Max               int    `placeholder:"N" help:"Messages to receive in total. Default: 10, or all with --wait."`
	Wait              *int   `placeholder:"SECONDS" help:"Go on until no message came for so long."`
	Delete            bool   `help:"Delete messages once they are printed."`
	VisibilityTimeout *int   `placeholder:"SECONDS" help:"How long the messages are invisible to others. Default: the queue's."`
}

// Help adds to the usage.
func (cmd *ReceiveCmd) Help() string {
	return `Prints each message's body and a line feed; with --json, each message as one line of JSON. Without --wait it ends when there are no more messages now.

With --delete, messages are deleted after they were written to the standard output; when that is closed early, those that were not written are released. Without it, they come back when their visibility timeout ends; until then, a FIFO queue gives no more messages of their groups.

When the server does not answer, calls are repeated for 30 seconds. Messages of a lost answer come back when their visibility timeout ends: with --wait, it is then waited for them (up to a minute).`
}

// Run receives the messages.
func (cmd *ReceiveCmd) Run(ctx context.Context, g *Globals) error {
	if cmd.Max < 0 || cmd.Wait != nil && *cmd.Wait < 0 {
		return errors.New("--max and --wait must not be negative")
	}
	// A closed standard output is to be an error of the write, not the end of the process.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	r := &receiver{cmd: *cmd, notes: &notes{out: g.Stderr}, out: messageWriter{out: g.Stdout, json: g.JSON}}
	var err error
	r.client, err = g.client(streamRetry, client.WithRetryNotice(r.retrying))
	if err != nil {
		return err
	}
	r.limit()
	if err := r.prepare(ctx, g); err != nil {
		return err
	}
	return r.run(ctx)
}

// receiver is one run of the command.
type receiver struct {
	cmd     ReceiveCmd
	client  *client.Client
	notes   *notes
	out     messageWriter
	timeout time.Duration // visibility, of the messages received
	left    int           // messages that may still be received; -1: any number

	fifo bool

	mu      sync.Mutex
	linger  time.Time // until then, messages of a lost answer may come back
	stale   int       // deletions that came after another receive
	expired int       // deletions that came after the visibility timeout, in a FIFO queue
}

// prepare looks at the queue for the visibility timeout of what will be received.
func (r *receiver) prepare(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	queue, err := c.GetQueue(ctx, r.cmd.Queue)
	if err != nil {
		return err
	}
	r.fifo = queue.FIFO
	r.timeout = time.Duration(queue.VisibilityTimeout) * time.Second
	if r.cmd.VisibilityTimeout != nil {
		r.timeout = time.Duration(*r.cmd.VisibilityTimeout) * time.Second
	}
	return nil
}

// limit sets how many messages may be received in total.
func (r *receiver) limit() {
	switch {
	case r.cmd.Max > 0:
		r.left = r.cmd.Max
	case r.cmd.Wait == nil:
		r.left = defaultReceive
	default:
		r.left = -1
	}
}

// run receives, prints and deletes until the flags' end is reached. When ctx ends it
// finishes what was received.
func (r *receiver) run(ctx context.Context) error {
	lasting := context.WithoutCancel(ctx)
	deletes, good := errgroup.WithContext(lasting)
	deletes.SetLimit(deletesAtOnce)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(good, stop) // a failed deletion ends the receiving
	err := r.receiveAll(ctx, func(receipts []string) {
		deleted := make(chan struct{})
		deletes.Go(func() error {
			defer close(deleted)
			return r.delete(lasting, receipts)
		})
		if r.fifo {
			<-deleted // a group gives nothing more before
		}
	})
	err = errors.Join(err, deletes.Wait())
	if r.stale > 0 {
		r.notes.printf("%d messages were received again by another consumer before they were deleted here", r.stale)
	}
	if r.expired > 0 {
		r.notes.printf("%d messages were not deleted before their visibility timeout ended: they come back", r.expired)
	}
	return err
}

// receiveAll receives and prints, and hands on the receipts of what was printed.
func (r *receiver) receiveAll(ctx context.Context, printed func(receipts []string)) error {
	size, last := firstReceive, time.Now()
	for r.left != 0 && ctx.Err() == nil {
		messages, err := r.receive(ctx, size, last)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if len(messages) == 0 {
			if r.ended(last) {
				return nil
			}
			pause(ctx, pollPause)
			continue
		}
		written, err := r.out.write(messages)
		if r.cmd.Delete && written > 0 {
			printed(receipts(messages[:written]))
		}
		if err != nil {
			return r.release(ctx, messages[written:], err)
		}
		if r.left > 0 {
			r.left -= len(messages)
		}
		size, last = nextReceive(messages), time.Now()
	}
	return nil
}

// receive receives up to size messages; last is when the last message came.
func (r *receiver) receive(ctx context.Context, size int, last time.Time) ([]client.Message, error) {
	receive := client.Receive{Max: size, WaitSeconds: new(0), VisibilityTimeout: r.cmd.VisibilityTimeout}
	if r.left >= 0 {
		receive.Max = min(size, r.left)
	}
	if r.cmd.Wait != nil {
		wait := time.Until(r.end(last))
		seconds := int((wait + time.Second - 1) / time.Second)
		receive.WaitSeconds = new(min(max(seconds, 0), client.MaxWait))
	}
	return r.client.Receive(ctx, r.cmd.Queue, receive)
}

// ended tells whether an empty answer is the last.
func (r *receiver) ended(last time.Time) bool {
	return r.cmd.Wait == nil || !time.Now().Before(r.end(last))
}

// end returns when --wait ends if no message comes.
func (r *receiver) end(last time.Time) time.Time {
	end := last.Add(time.Duration(*r.cmd.Wait) * time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.linger.After(end) {
		return r.linger
	}
	return end
}

// retrying is told of every repeated call. After a receive whose outcome is not known,
// messages may be in flight that nobody has: they are waited for.
func (r *receiver) retrying(call string, err error) {
	r.notes.retrying(call, err)
	var refusal *client.Error
	refused := errors.As(err, &refusal) &&
		refusal.Status != http.StatusBadGateway && refusal.Status != http.StatusGatewayTimeout
	if call != "Receive" || refused {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.linger = time.Now().Add(min(r.timeout+time.Second, longestLinger))
}

// delete deletes printed messages.
func (r *receiver) delete(ctx context.Context, receipts []string) error {
	_, err := repeatItems(ctx, receipts, func(receipts []string) (again []string, why, err error) {
		errs, err := r.client.DeleteMany(ctx, r.cmd.Queue, receipts)
		for i, itemErr := range errs {
			switch {
			case itemErr == nil:
			case client.ErrorCode(itemErr) == "receipt_stale":
				r.mu.Lock()
				r.stale++
				r.mu.Unlock()
			case client.ErrorCode(itemErr) == "receipt_expired":
				r.mu.Lock()
				r.expired++
				r.mu.Unlock()
			case temporary(itemErr):
				again, why = append(again, receipts[i]), itemErr
			default:
				return nil, nil, itemErr
			}
		}
		return again, why, err
	})
	if err != nil {
		return fmt.Errorf("messages that were printed may come back: %w", err)
	}
	return nil
}

// release makes messages that could not be written visible at once. It returns cause,
// and the error where that failed too.
func (r *receiver) release(ctx context.Context, messages []client.Message, cause error) error {
	extends := make([]client.Extend, len(messages))
	for i, m := range messages {
		extends[i].Receipt = m.Receipt
	}
	cause = fmt.Errorf("writing messages: %w", cause)
	if len(extends) == 0 {
		return cause
	}
	errs, err := r.client.ExtendMany(context.WithoutCancel(ctx), r.cmd.Queue, extends)
	if err = errors.Join(err, errors.Join(errs...)); err != nil {
		return fmt.Errorf("%w; %d messages come back when their visibility timeout ends: %w", cause, len(messages), err)
	}
	return fmt.Errorf("%w; %d messages released", cause, len(messages))
}

// nextReceive returns how many messages to ask for after these, so that an answer
// stays near receiveBytes.
func nextReceive(messages []client.Message) int {
	bytes := 0
	for _, m := range messages {
		bytes += len(m.Body)
	}
	average := bytes/len(messages) + 1
	return min(max(receiveBytes/average, 1), client.MaxBatch)
}

func receipts(messages []client.Message) []string {
	list := make([]string, len(messages))
	for i, m := range messages {
		list[i] = m.Receipt
	}
	return list
}
