package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"tusq/client"
)

// How long the client commands repeat a call that the server does not answer.
const (
	adminRetry  = 3 * time.Second  // a single call that someone waits for
	streamRetry = 30 * time.Second // in the middle of a long stream
)

// Globals are the flags and streams of every client command.
type Globals struct {
	URL  string `help:"Server." env:"TUSQ_URL" default:"http://127.0.0.1:9324"`
	JSON bool   `help:"Print JSON."`
	clientTLSFlags

	Token  string    `kong:"-"` // of the caller, from TUSQ_TOKEN; "": none
	Stdin  io.Reader `kong:"-"`
	Stdout io.Writer `kong:"-"`
	Stderr io.Writer `kong:"-"`
}

// client returns a client of the server that repeats calls for up to retry.
func (g *Globals) client(retry time.Duration, opts ...client.Option) (*client.Client, error) {
	config, err := g.config()
	if err != nil {
		return nil, err
	}
	return client.New(g.URL, append([]client.Option{client.WithRetry(retry), client.WithTLS(config), client.WithToken(g.Token)}, opts...)...)
}

// printJSON writes v to the standard output as one line of JSON.
func (g *Globals) printJSON(v any) error {
	return writeJSON(g.Stdout, v)
}

// writeJSON writes v as one line of JSON, with no more escapes than JSON needs.
func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// isTerminal tells whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// messageWriter prints messages.
type messageWriter struct {
	out  io.Writer
	json bool
}

// write prints messages and returns how many of them the output took whole.
func (w messageWriter) write(messages []client.Message) (int, error) {
	counted := &countingWriter{out: w.out}
	buffer := bufio.NewWriterSize(counted, 64<<10)
	ends := make([]int64, len(messages)) // of each message in the output
	var err error
	for i, m := range messages {
		if err = w.writeOne(buffer, m); err != nil {
			ends = ends[:i]
			break
		}
		ends[i] = counted.bytes + int64(buffer.Buffered())
	}
	if flushErr := buffer.Flush(); err == nil {
		err = flushErr
	}
	written := 0
	for written < len(ends) && ends[written] <= counted.bytes {
		written++
	}
	return written, err
}

func (w messageWriter) writeOne(out *bufio.Writer, m client.Message) error {
	if w.json {
		return writeJSON(out, m)
	}
	if _, err := out.WriteString(m.Body); err != nil {
		return err
	}
	return out.WriteByte('\n')
}

// countingWriter counts the bytes that its output took.
type countingWriter struct {
	out   io.Writer
	bytes int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.bytes += int64(n)
	return n, err
}

// notes writes a command's remarks to the standard error, and its progress below them
// when that is a terminal. It is safe for concurrent use.
type notes struct {
	mu      sync.Mutex
	out     io.Writer
	bar     *progressbar.ProgressBar // nil: not on a terminal
	retried time.Time                // when the last retry was told
}

// startProgress shows a progress up to total (-1: unknown) in bytes or what else, on a
// terminal only.
func (n *notes) startProgress(total int64, bytes bool) {
	if !isTerminal(n.out) {
		return
	}
	n.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(n.out),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // no drawing of its own between our lines
		progressbar.OptionClearOnFinish())
}

// printf writes one remark.
func (n *notes) printf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bar != nil {
		_ = n.bar.Clear()
	}
	fmt.Fprintf(n.out, format+"\n", args...)
}

// progress shows how far it is, and a description.
func (n *notes) progress(at int64, description string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bar != nil {
		n.bar.Describe(description)
		_ = n.bar.Set64(at)
	}
}

// done removes the progress.
func (n *notes) done() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bar != nil {
		_ = n.bar.Clear()
		n.bar = nil
	}
}

// retrying tells that a call is repeated, once every few seconds. It fits
// client.WithRetryNotice.
func (n *notes) retrying(call string, err error) {
	n.mu.Lock()
	quiet := time.Since(n.retried) < 5*time.Second
	if !quiet {
		n.retried = time.Now()
	}
	n.mu.Unlock()
	if !quiet {
		n.printf("%v; trying again", err)
	}
}

// repeatItems makes a batch call again for those of its items that failed for the
// moment, until none is left or streamRetry has passed. try returns the items to repeat
// and why; its error ends all. What is left is returned beside the error.
func repeatItems[T any](ctx context.Context, items []T, try func([]T) (again []T, why, err error)) ([]T, error) {
	for end := time.Now().Add(streamRetry); ; {
		again, why, err := try(items)
		switch {
		case err != nil:
			return items, err
		case len(again) == 0:
			return nil, nil
		case time.Now().After(end):
			return again, why
		}
		items = again
		pause(ctx, time.Second)
		if ctx.Err() != nil {
			return again, ctx.Err()
		}
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// temporary tells whether an item's error may be gone when it is tried again.
func temporary(err error) bool {
	var refusal *client.Error
	return errors.As(err, &refusal) && refusal.Temporary()
}
