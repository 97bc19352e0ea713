package clock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"tusq/client"
	"tusq/internal/process"
	"tusq/service"
	"tusq/test/fault/replica"
)

var caller = replica.Caller

const (
	seconds = 2                // of the visibility timeout and of the delay that are measured
	late    = 8 * time.Second  // by which what is due has to come, on a busy machine
	ready   = 30 * time.Second // until a replica serves
)

// Queues of a check.
const (
	standard = "orders"
	fifo     = "orders.fifo"
	mortal   = "mortal" // with the shortest retention
)

// pair is a replica whose clock is wrong, and one whose clock is right, on one database.
type pair struct {
	wrong *client.Client
	url   string // of the wrong one
	right *replica.Replica
	log   func(string)
}

// Check runs a program that Build has made beside a replica with the right clock, and looks for what the wrong clock changes.
// Directory dir takes its output. The error says what is wrong; log, which may be nil, is told what was measured.
func Check(ctx context.Context, program, databaseURL, dir string, offset, after time.Duration, log func(string)) (err error) {
	if log == nil {
		log = func(string) {}
	}
	p := pair{log: log}
	if p.right, err = replica.Start(ctx, replica.Options{URL: databaseURL}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.right.Stop()) }()
	address, err := process.FreeAddress(ctx)
	if err != nil {
		return err
	}
	p.url = "http://" + address
	command := exec.CommandContext(context.WithoutCancel(ctx), program, "serve", "--listen", address, "--database-url", databaseURL)
	command.Env = append(os.Environ(), Wrong(offset, after)...)
	server, err := process.Start(dir, command)
	if err != nil {
		return err
	}
	defer server.Stop()
	if err := server.WaitFor(ctx, ready, func(ctx context.Context) error { _, err := p.date(ctx); return err }); err != nil {
		return err
	}
	if p.wrong, err = client.New(p.url); err != nil {
		return err
	}
	return p.check(ctx, offset)
}

// check runs all checks, the first of them with the jump in its midst.
func (p *pair) check(ctx context.Context, offset time.Duration) error {
	for _, create := range []service.CreateQueue{
		{Name: standard}, {Name: fifo}, {Name: mortal, QueueChange: service.QueueChange{Retention: new(service.MinRetention)}},
	} {
		if _, _, err := p.right.CreateQueue(ctx, caller, create); err != nil {
			return err
		}
	}
	if err := p.sendUntilWrong(ctx, offset); err != nil {
		return err
	}
	if _, err := p.wrong.Send(ctx, mortal, client.SendMessage{Body: "mortal"}); err != nil {
		return err
	}
	for name, check := range map[string]func(context.Context) error{
		"visibility timeout": p.visibility, "delay": p.delay, "deduplication": p.deduplication, "order": p.order, "purge": p.purge,
	} {
		if err := check(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	// The replicas have looked for expired messages meanwhile.
	if err := p.wantOne(ctx, mortal, "mortal"); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return nil
}

// date is the time that the wrong replica believes in: it is in the header of its answers.
func (p *pair) date(ctx context.Context) (time.Time, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
	if err != nil {
		return time.Time{}, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return time.Time{}, fmt.Errorf("it is not ready: %s", answer.Status)
	}
	return http.ParseTime(answer.Header.Get("Date"))
}

// sendUntilWrong sends and receives until the replica's clock has jumped: all of it arrives once.
func (p *pair) sendUntilWrong(ctx context.Context, offset time.Duration) error {
	for n := 0; ; n++ {
		now, err := p.date(ctx)
		if err != nil {
			return err
		}
		body := fmt.Sprint("load ", n)
		if _, err := p.wrong.Send(ctx, standard, client.SendMessage{Body: body}); err != nil {
			return err
		}
		if err := p.wantOne(ctx, standard, body); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if off := time.Until(now) - offset; off.Abs() < 10*time.Second {
			p.log(fmt.Sprintf("the replica answers with the date %s, %s off, after %d messages", now.Format(time.RFC3339), offset, n))
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the replica's clock is not wrong: %w", err)
		}
	}
}

// wantOne receives one message by the right replica, and deletes it by the wrong one.
func (p *pair) wantOne(ctx context.Context, queue, body string) error {
	messages, err := p.right.ReceiveMessages(ctx, caller, queue, service.ReceiveMessages{Max: 10, Wait: new(late)})
	if err != nil {
		return err
	}
	if len(messages) != 1 || messages[0].Body != body {
		return fmt.Errorf("received %+v, want %s", messages, body)
	}
	return p.wrong.Delete(ctx, queue, messages[0].Receipt)
}

// visibility has the wrong replica claim a message: it comes back when the timeout says.
func (p *pair) visibility(ctx context.Context) error {
	if _, err := p.wrong.Send(ctx, standard, client.SendMessage{Body: "claimed"}); err != nil {
		return err
	}
	began := time.Now()
	messages, err := p.wrong.Receive(ctx, standard, client.Receive{WaitSeconds: new(5), VisibilityTimeout: new(seconds)})
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("received %+v, %w", messages, err)
	}
	answered := time.Now()
	if err := p.wantOne(ctx, standard, "claimed"); err != nil {
		return err
	}
	return p.wantTook("a message came back", began, answered)
}

// delay has the wrong replica store a message for later, and waits for it there.
func (p *pair) delay(ctx context.Context) error {
	began := time.Now()
	if _, err := p.wrong.Send(ctx, standard, client.SendMessage{Body: "delayed", DelaySeconds: new(seconds)}); err != nil {
		return err
	}
	answered := time.Now()
	messages, err := p.wrong.Receive(ctx, standard, client.Receive{WaitSeconds: new(int(late / time.Second))})
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("received %+v, %w", messages, err)
	}
	if err := p.wantTook("a delayed message came", began, answered); err != nil {
		return err
	}
	return p.wrong.Delete(ctx, standard, messages[0].Receipt)
}

// wantTook checks that something happened seconds after a call that began and was answered then.
func (p *pair) wantTook(what string, began, answered time.Time) error {
	earliest, latest := time.Since(began), time.Since(answered)
	p.log(fmt.Sprintf("%s after %s", what, earliest.Round(time.Millisecond)))
	if earliest < seconds*time.Second || latest > late {
		return fmt.Errorf("%s after %s", what, earliest)
	}
	return nil
}

// deduplication sends the same by both replicas.
func (p *pair) deduplication(ctx context.Context) error {
	var ids [2]string
	for i := range ids {
		sent, err := p.right.SendMessages(ctx, caller, fifo, service.SendMessages{
			Messages: []service.SendMessage{{Body: "once", GroupID: "once", DeduplicationID: fmt.Sprint("once-", i)}}})
		if err != nil {
			return err
		}
		again, err := p.wrong.Send(ctx, fifo, client.SendMessage{Body: "once", GroupID: "once", DeduplicationID: fmt.Sprint("once-", i)})
		if err != nil {
			return err
		}
		if again.ID != sent[0].ID {
			return errors.New("a duplicate was stored")
		}
		if err := p.wantOne(ctx, fifo, "once"); err != nil {
			return err
		}
	}
	return nil
}

// order sends a group's messages by both replicas in turn.
func (p *pair) order(ctx context.Context) error {
	const n = 10
	for i := range n {
		body := fmt.Sprint(i)
		var err error
		if i%2 == 0 {
			_, err = p.wrong.Send(ctx, fifo, client.SendMessage{Body: body, GroupID: "order", DeduplicationID: "order-" + body})
		} else {
			_, err = p.right.SendMessages(ctx, caller, fifo, service.SendMessages{
				Messages: []service.SendMessage{{Body: body, GroupID: "order", DeduplicationID: "order-" + body}}})
		}
		if err != nil {
			return err
		}
	}
	for i := range n {
		messages, err := p.wrong.Receive(ctx, fifo, client.Receive{Max: 1, WaitSeconds: new(5)})
		if err != nil || len(messages) != 1 || messages[0].Body != fmt.Sprint(i) {
			return fmt.Errorf("received %+v, %w, want %d", messages, err, i)
		}
		if err := p.wrong.Delete(ctx, fifo, messages[0].Receipt); err != nil {
			return err
		}
	}
	return nil
}

// purge by each replica takes what was sent by the wrong one before, and nothing else.
func (p *pair) purge(ctx context.Context) error {
	if _, err := p.wrong.Send(ctx, standard, client.SendMessage{Body: "before"}); err != nil {
		return err
	}
	if n, err := p.right.PurgeQueue(ctx, caller, service.PurgeQueue{Name: standard}); err != nil || n != 1 {
		return fmt.Errorf("%d messages were purged, %w", n, err)
	}
	if _, err := p.wrong.Send(ctx, standard, client.SendMessage{Body: "after"}); err != nil {
		return err
	}
	return p.wantOne(ctx, standard, "after")
}
