package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tusq/client"
)

const (
	batchBytes  = 1 << 20               // of bodies in one request, or one larger body
	sendsAtOnce = 4                     // requests in flight
	inputPause  = 20 * time.Millisecond // after which the lines that came are sent
)

// batch is lines for one request.
type batch struct {
	lines []line
	bytes int
}

func (b *batch) add(lines ...line) {
	for _, l := range lines {
		b.lines = append(b.lines, l)
		b.bytes += len(l.body)
	}
}

// full tells that nothing should be added.
func (b *batch) full() bool {
	return len(b.lines) >= client.MaxBatch || b.bytes >= batchBytes
}

// takes tells whether all of more can be added.
func (b *batch) takes(more batch) bool {
	return len(b.lines) == 0 ||
		len(b.lines)+len(more.lines) <= client.MaxBatch && b.bytes+more.bytes <= batchBytes
}

// lineSender sends the lines of an input. Three steps hand batches on without
// buffering: reading, gathering and sending; so its memory is bounded by the batches
// that they hold.
type lineSender struct {
	client  *client.Client
	queue   string
	message func(body string, number int64) client.SendMessage
	notes   *notes
	atOnce  int // requests in flight

	mu      sync.Mutex
	started time.Time
	sum     sendSummary
	unsent  int64 // number of the first line that the reader holds, or 0
	lost    int64 // the least number of a line that was given up, or 0
}

// sendSummary is what became of the lines.
type sendSummary struct {
	Queue   string  `json:"queue"`
	Lines   int64   `json:"lines"` // read
	Sent    int64   `json:"sent"`
	Bytes   int64   `json:"bytes"` // of the sent
	Empty   int64   `json:"empty"` // skipped
	Refused int64   `json:"refused"`
	Seconds float64 `json:"seconds"`
	// Resume is the first line that was not acknowledged; later ones may have been. 0: none.
	Resume int64 `json:"first_unacknowledged,omitempty"`
}

// errInterrupted means that not all lines were read or passed on.
var errInterrupted = errors.New("interrupted")

// run sends all lines. When ctx ends, what is in flight is finished first.
func (s *lineSender) run(ctx context.Context, in *lineReader) error {
	s.started = time.Now()
	group, open := errgroup.WithContext(ctx)
	parts, batches := make(chan batch), make(chan batch)
	read := make(chan error, 1)
	go func() { // not waited for after an error: its input may never come
		defer close(parts)
		read <- s.read(open, in, parts)
	}()
	group.Go(func() error {
		defer close(batches)
		return s.gather(open, parts, batches)
	})
	for range s.atOnce {
		group.Go(func() error { return s.sendAll(context.WithoutCancel(ctx), batches) })
	}
	err := group.Wait()
	if err == nil {
		err = <-read
	}
	return s.finish(err)
}

// read passes lines on, whenever the input pauses or a batch is full.
func (s *lineSender) read(ctx context.Context, in *lineReader, parts chan<- batch) error {
	var part batch
	pass := func() bool {
		select {
		case parts <- part:
			part = batch{}
			s.hold(0)
			return true
		case <-ctx.Done():
			return false
		}
	}
	for {
		if part.full() || len(part.lines) > 0 && !in.ready() {
			if !pass() {
				return errInterrupted
			}
		}
		l, err := in.next()
		if errors.Is(err, io.EOF) { // all was passed on: nothing was ready any more
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading line %d: %w", in.number+1, err)
		}
		if s.accept(l) {
			if len(part.lines) == 0 {
				s.hold(l.number)
			}
			part.add(l)
		}
	}
}

// gather makes batches of what was read: full ones, or what came before a pause.
func (s *lineSender) gather(ctx context.Context, parts <-chan batch, batches chan<- batch) error {
	var pending batch
	var pause <-chan time.Time
	flush := func() error {
		if len(pending.lines) > 0 {
			select {
			case batches <- pending:
			case <-ctx.Done():
				s.lose(pending.lines)
				return errInterrupted
			}
		}
		pending, pause = batch{}, nil
		return nil
	}
	for {
		var err error
		select {
		case part, ok := <-parts:
			if !ok {
				return flush()
			}
			if !pending.takes(part) {
				err = flush()
			}
			pending.add(part.lines...)
			if err == nil && pending.full() {
				err = flush()
			} else if pause == nil {
				pause = time.After(inputPause)
			}
		case <-pause:
			err = flush()
		case <-ctx.Done():
			s.lose(pending.lines)
			err = errInterrupted
		}
		if err != nil {
			return err
		}
	}
}

// sendAll sends batches until there are no more or one is lost.
func (s *lineSender) sendAll(ctx context.Context, batches <-chan batch) error {
	for b := range batches {
		left, err := repeatItems(ctx, b.lines, func(lines []line) ([]line, error, error) {
			return s.send(ctx, lines)
		})
		if err != nil {
			s.lose(left)
			return err
		}
	}
	return nil
}

// send sends lines and returns those that the server could not take now, and why.
func (s *lineSender) send(ctx context.Context, lines []line) (again []line, why, err error) {
	messages := make([]client.SendMessage, len(lines))
	for i, l := range lines {
		messages[i] = s.message(l.body, l.number)
	}
	results, err := s.client.SendMany(ctx, s.queue, messages)
	if err != nil {
		return nil, nil, err
	}
	for i, result := range results {
		switch {
		case result.Err == nil:
			s.count(lines[i])
		case temporary(result.Err):
			again, why = append(again, lines[i]), result.Err
		default:
			s.refuse(lines[i], result.Err.Error())
		}
	}
	s.show()
	return again, why, nil
}

// accept counts a line that was read and tells whether it is to be sent.
func (s *lineSender) accept(l line) bool {
	if l.refused != "" {
		s.refuse(l, l.refused)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Lines = l.number
	if l.refused == "" && l.body == "" {
		s.sum.Empty++
	}
	return l.refused == "" && l.body != ""
}

func (s *lineSender) refuse(l line, why string) {
	s.mu.Lock()
	s.sum.Refused++
	s.mu.Unlock()
	s.notes.printf("line %d refused: %s", l.number, why)
}

func (s *lineSender) count(l line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Sent++
	s.sum.Bytes += int64(len(l.body))
}

// hold notes the first line of what the reader has not handed on; 0: nothing.
func (s *lineSender) hold(number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsent = number
}

// lose notes lines that are given up.
func (s *lineSender) lose(lines []line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(lines) > 0 && (s.lost == 0 || lines[0].number < s.lost) {
		s.lost = lines[0].number
	}
}

// summary returns what became of the lines so far.
func (s *lineSender) summary() sendSummary {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Queue = s.queue
	s.sum.Seconds = time.Since(s.started).Seconds()
	return s.sum
}

// show updates the progress.
func (s *lineSender) show() {
	sum := s.summary()
	s.notes.progress(sum.Bytes, fmt.Sprintf("%d messages, %.0f/s", sum.Sent, float64(sum.Sent)/sum.Seconds))
}

// finish adds to an error where to go on.
func (s *lineSender) finish(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lost != 0:
		s.sum.Resume = s.lost
	case s.unsent != 0:
		s.sum.Resume = s.unsent
	default:
		s.sum.Resume = s.sum.Lines + 1
	}
	return fmt.Errorf("%w; line %d is the first that was not acknowledged (later ones may have been)", err, s.sum.Resume)
}
