package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tusq/client"
)

// shelf is a transport that stands for a server with messages. Each receive is given
// the next batch of them; after the last it waits as it was asked, and has none.
type shelf struct {
	mu       sync.Mutex
	batches  [][]client.Message
	receives []client.Receive
	deleted  []string
	released []string

	receiveErr func(call int) error        // of the connection
	deleteErr  func(receipt string) string // a code
	onDelete   func(receipts []string)
	impatient  bool // answers "none" without waiting
}

// statusError is answered as that status.
type statusError int

func (e statusError) Error() string { return http.StatusText(int(e)) }

func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var answer any
	switch _, call, _ := strings.Cut(r.URL.Path, "/messages/"); call {
	case "receive":
		answer, err = s.receive(r.Context(), body)
	case "delete":
		answer, err = s.delete(body)
	case "visibility":
		answer, err = s.release(body)
	default:
		err = errors.New("unexpected call of " + r.URL.Path)
	}
	recorder := httptest.NewRecorder()
	if status := (statusError)(0); errors.As(err, &status) {
		recorder.WriteHeader(int(status))
		return recorder.Result(), nil
	}
	if err = errors.Join(err, r.Context().Err()); err != nil {
		return nil, err
	}
	err = json.NewEncoder(recorder).Encode(answer)
	return recorder.Result(), err
}

func (s *shelf) receive(ctx context.Context, body []byte) (any, error) {
	var receive client.Receive
	if err := json.Unmarshal(body, &receive); err != nil {
		return nil, err
	}
	page, err := s.take(receive)
	if err == nil && len(page.Messages) == 0 && !s.impatient {
		pause(ctx, time.Duration(*receive.WaitSeconds)*time.Second)
	}
	return page, errors.Join(err, ctx.Err())
}

func (s *shelf) take(receive client.Receive) (client.MessagePage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receives = append(s.receives, receive)
	page := client.MessagePage{Messages: []client.Message{}}
	if s.receiveErr != nil {
		if err := s.receiveErr(len(s.receives)); err != nil {
			return page, err
		}
	}
	if len(s.batches) > 0 {
		page.Messages, s.batches = s.batches[0], s.batches[1:]
	}
	return page, nil
}

func (s *shelf) delete(body []byte) (any, error) {
	var batch struct{ Receipts []string }
	if err := json.Unmarshal(body, &batch); err != nil {
		return nil, err
	}
	if s.onDelete != nil {
		s.onDelete(batch.Receipts)
	}
	results := make([]map[string]any, len(batch.Receipts))
	for i, receipt := range batch.Receipts {
		if code := s.deleteErr; code != nil && code(receipt) != "" {
			results[i] = map[string]any{"error": map[string]string{"code": code(receipt)}}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = append(s.deleted, batch.Receipts...)
	return map[string]any{"results": results}, nil
}

func (s *shelf) release(body []byte) (any, error) {
	var batch struct{ Messages []client.Extend }
	if err := json.Unmarshal(body, &batch); err != nil {
		return nil, err
	}
	for _, extend := range batch.Messages {
		if extend.VisibilityTimeout == 0 {
			s.released = append(s.released, extend.Receipt)
		}
	}
	return map[string]any{"results": make([]struct{}, len(batch.Messages))}, nil
}

// receiver returns a receiver from the shelf and what it remarks.
func (s *shelf) receiver(t *testing.T, cmd ReceiveCmd, out io.Writer) (*receiver, *bytes.Buffer) {
	t.Helper()
	var remarks bytes.Buffer
	cmd.Queue = "q"
	r := &receiver{cmd: cmd, out: messageWriter{out: out}, notes: &notes{out: &remarks}, timeout: 5 * time.Second}
	r.limit()
	c, err := client.New("http://tusq.test", client.WithHTTPClient(&http.Client{Transport: s}), client.WithRetryNotice(r.retrying))
	if err != nil {
		t.Fatal(err)
	}
	r.client = c
	return r, &remarks
}

// numbered returns messages with these numbers as bodies.
func numbered(from, to int) []client.Message {
	var messages []client.Message
	for i := from; i <= to; i++ {
		messages = append(messages, client.Message{Receipt: fmt.Sprint("r", i), Body: fmt.Sprint(i)})
	}
	return messages
}
