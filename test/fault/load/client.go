package load

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"tusq/test/fault/history"
)

// client makes calls, one after the other, and records them.
type client struct {
	*Options
	id     int
	http   *http.Client
	base   int // of URLs: where its calls go now
	random *rand.Rand
	text   string // of which bodies are cut
	errors int    // calls in a row of which it knows no outcome
}

// newHTTP returns what a number of clients share.
func newHTTP(clients int) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newClient(o *Options, id int, shared *http.Client, text string) *client {
	return &client{
		Options: o, id: id, http: shared, base: id % len(o.URLs), text: text,
		random: rand.New(rand.NewPCG(o.Seed, uint64(id))),
	}
}

// chance is true with a probability.
func (c *client) chance(p float64) bool { return p > 0 && c.random.Float64() < p }

// size is that of a batch: half of them are full.
func (c *client) size() int {
	if c.chance(0.5) {
		return c.Batch
	}
	return 1 + c.random.IntN(c.Batch)
}

// surface chooses where a call goes.
func (c *client) surface() surface {
	if c.chance(c.Shares.SQS) {
		return sqs{}
	}
	return rest{}
}

// call makes a call and returns what is known of it, for the caller to complete and record, and its answer. The end of
// ctx does not cut it off: only its own timeout does.
func (c *client) call(ctx context.Context, s surface, op history.Op, queue string, r request) (history.Event, []byte) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.RequestTimeout+r.wait)
	defer cancel()
	e := history.Event{Client: c.id, Op: op, Surface: s.name(), Queue: queue}
	var body []byte
	request, err := c.newRequest(ctx, r)
	e.Invoked = c.Recorder.Now()
	if err == nil {
		e.Status, body, err = c.exchange(request)
	}
	e.Returned = c.Recorder.Now()
	e.Outcome = classify(e.Status, err)
	switch {
	case err != nil:
		e.Error = transportError(err)
		c.base = (c.base + 1) % len(c.URLs)
	case e.Outcome != history.OK:
		e.Error = s.code(body)
	}
	return e, body
}

// newRequest makes a request that net/http does not repeat by itself.
func (c *client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	request, err := http.NewRequestWithContext(ctx, r.method, c.URLs[c.base]+r.path, body)
	if err != nil {
		return nil, err
	}
	request.GetBody = nil // with it, a request that has an Idempotency-Key would be sent again
	for i := 0; i < len(r.header); i += 2 {
		request.Header.Set(r.header[i], r.header[i+1])
	}
	return request, nil
}

// exchange returns an answer that was read to its end. Without one the status is 0.
func (c *client) exchange(request *http.Request) (int, []byte, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err
	}
	return response.StatusCode, body, nil
}

// record adds a call to the history and to the progress.
func (c *client) record(e history.Event) {
	c.Recorder.Record(e)
	p := c.Progress
	p.Calls.Add(1)
	switch e.Outcome {
	case history.OK:
		p.success.Store(time.Now().UnixNano())
		c.errors = 0
	case history.Unknown:
		p.Unknown.Add(1)
		c.errors++
	case history.Fail:
		p.Failed.Add(1)
		c.errors++
	}
	var acknowledged int64
	for _, m := range e.Messages {
		if m.Outcome == history.OK {
			acknowledged++
		}
	}
	switch e.Op {
	case history.Receive:
		p.Received.Add(acknowledged)
	case history.Delete:
		p.Deleted.Add(acknowledged)
	}
}

// conclude writes the results of a call into its event. An answer that cannot be read leaves all unknown.
func conclude(e *history.Event, results []result, err error) {
	if e.Outcome == history.OK && err != nil {
		e.Outcome, e.Error = history.Unknown, errAnswer
	}
	if e.Outcome != history.OK {
		for i := range e.Messages {
			e.Messages[i].Outcome, e.Messages[i].Error = e.Outcome, e.Error
		}
		return
	}
	for i, r := range results {
		e.Messages[i].Outcome, e.Messages[i].Error = r.outcome, r.err
	}
}

// backOff waits after a call that was not acknowledged, longer after several. It ends with ctx.
func (c *client) backOff(ctx context.Context) {
	if c.errors > 0 {
		c.pause(ctx, min(500*time.Millisecond, 25*time.Millisecond<<min(c.errors, 8)))
	}
}

// pause waits for about d, or for the end of ctx.
func (c *client) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d/2 + time.Duration(c.random.Int64N(int64(d))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
