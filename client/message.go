package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
)

// Limits of one call.
const (
	MaxBatch   = 1000    // messages or receipts
	MaxWait    = 60      // seconds of a receive
	MaxMessage = 1 << 20 // bytes of a message's body and attributes
)

// maxQueueWait is the longest wait that a queue can set for receives that name none.
const maxQueueWait = 20 * time.Second

// Attribute is a typed value beside a message's body.
type Attribute struct {
	Type  string `json:"type"`  // String, Number or Binary, with an optional ".label"
	Value string `json:"value"` // of Binary: in standard base64
}

// SendMessage is a message to send.
type SendMessage struct {
	Body         string               `json:"body"`                    // UTF-8; stored byte by byte
	DelaySeconds *int                 `json:"delay_seconds,omitempty"` // until it becomes visible; nil: the queue's
	Attributes   map[string]Attribute `json:"attributes,omitempty"`
	GroupID      string               `json:"group_id,omitempty"` // whose messages stay in order, required, in a FIFO queue

	// DeduplicationID, of a FIFO queue only, is accepted once in five minutes. Empty: made
	// of the body, where the queue has ContentDeduplication.
	DeduplicationID string `json:"deduplication_id,omitempty"`
}

// Sent is the answer to a message: of a duplicate, that of the message that was sent first.
type Sent struct {
	ID       string `json:"id"`
	Sequence int64  `json:"sequence,string,omitempty"` // on a FIFO queue: increases within the message's group
}

// SendOption changes how a send is made.
type SendOption func(*call)

// WithIdempotencyKey names the send, so that another with the same key and the same
// messages on the same queue within five minutes gets its answer and stores nothing. 1 to
// 255 bytes, unique among the queue's sends. Without it each call makes a key of its own,
// for its repeats.
func WithIdempotencyKey(key string) SendOption {
	return func(c *call) { c.key, c.hasKey = key, true }
}

// SendResult is the answer to one of many messages: Err, or what Sent has.
type SendResult struct {
	Sent
	Err error
}

// Receive asks for messages.
type Receive struct {
	Max               int  `json:"max,omitempty"`                // 1 to MaxBatch; 0: 1
	WaitSeconds       *int `json:"wait_seconds,omitempty"`       // for the first message, 0 to MaxWait; nil: the queue's
	VisibilityTimeout *int `json:"visibility_timeout,omitempty"` // seconds; nil: the queue's

	// AttemptID, of a FIFO queue only, makes a receive repeatable for five minutes: the same
	// id gets the same messages, unless one was settled or became visible. Empty: the call's
	// own repeats get others.
	AttemptID string `json:"attempt_id,omitempty"`
}

// Message is a received or a peeked message.
type Message struct {
	ID               string               `json:"id"`
	Receipt          string               `json:"receipt,omitempty"` // empty when peeked
	Body             string               `json:"body"`
	Attributes       map[string]Attribute `json:"attributes,omitempty"`
	GroupID          string               `json:"group_id,omitempty"`
	DeduplicationID  string               `json:"deduplication_id,omitempty"`   // of a FIFO queue
	Sequence         int64                `json:"sequence,string,omitempty"`    // of a FIFO queue: increases within the group
	DeadLetterSource string               `json:"dead_letter_source,omitempty"` // the queue that it was moved from
	State            string               `json:"state"`                        // visible, delayed or in_flight
	ReceiveCount     int                  `json:"receive_count"`
	SentAt           time.Time            `json:"sent_at"`
	FirstReceivedAt  time.Time            `json:"first_received_at,omitzero"` // zero: never
	VisibleAt        time.Time            `json:"visible_at"`
}

// Extend sets for how long from now a received message stays invisible: seconds. Zero
// makes it visible at once.
type Extend struct {
	Receipt           string `json:"receipt"`
	VisibilityTimeout int    `json:"visibility_timeout"`
}

// Peek asks for a page of messages without receiving them.
type Peek struct {
	State  string // visible, delayed or in_flight; empty: all
	Limit  int    // 1 to 100; 0: 100
	Cursor string // of the page before; empty for the first
}

// MessagePage is one page of messages.
type MessagePage struct {
	Messages []Message `json:"messages"`
	Cursor   string    `json:"cursor"` // of the next page; empty on the last
}

// result is the answer to one item of a batch.
type result struct {
	ID       string   `json:"id"`
	Sequence int64    `json:"sequence,string"`
	Error    *problem `json:"error"`
}

// sent reads the result as a sent message's. Nothing counts as stored without an id.
func (r result) sent() SendResult {
	if r.Error == nil && r.ID == "" {
		return SendResult{Err: badAnswerError{errors.New("a message got no id")}}
	}
	return SendResult{Sent: Sent{ID: r.ID, Sequence: r.Sequence}, Err: r.Error.itemError()}
}

// sendCall is a call that stores messages. It has a key where it may be repeated.
func (c *Client) sendCall(name string, body any, opts []SendOption) call {
	send := call{name: name, method: http.MethodPost, path: "/messages", body: body}
	if c.retry > 0 {
		WithIdempotencyKey(rand.Text())(&send)
	}
	for _, opt := range opts {
		opt(&send)
	}
	return send
}

// Send stores a message. It is on disk then.
func (c *Client) Send(ctx context.Context, queue string, message SendMessage, opts ...SendOption) (Sent, error) {
	if err := message.check(); err != nil {
		return Sent{}, err
	}
	var answer result
	if err := c.onQueue(ctx, c.sendCall("Send", message, opts), queue, &answer); err != nil {
		return Sent{}, err
	}
	sent := answer.sent()
	return sent.Sent, sent.Err
}

// SendMany stores up to MaxBatch messages: one result per message, in their order. An
// error means that none is known to be stored.
func (c *Client) SendMany(ctx context.Context, queue string, messages []SendMessage, opts ...SendOption) ([]SendResult, error) {
	results := make([]SendResult, len(messages))
	var good []SendMessage
	var at []int // of good, in messages
	for i, message := range messages {
		if results[i].Err = message.check(); results[i].Err == nil {
			good, at = append(good, message), append(at, i)
		}
	}
	if len(good) == 0 && len(messages) > 0 {
		return results, nil
	}
	answers, err := c.batch(ctx, c.sendCall("SendMany", map[string]any{"messages": good}, opts), queue, len(good))
	if err != nil {
		return nil, err
	}
	for i, answer := range answers {
		results[at[i]] = answer.sent()
	}
	return results, nil
}

// Receive claims up to receive.Max messages, waiting for the first. None in time is
// not an error. When ctx ends, what was claimed for the call is released.
func (c *Client) Receive(ctx context.Context, queue string, receive Receive) ([]Message, error) {
	wait := maxQueueWait
	if receive.WaitSeconds != nil {
		wait = time.Duration(*receive.WaitSeconds) * time.Second
	}
	var page MessagePage
	err := c.onQueue(ctx, call{
		name: "Receive", method: http.MethodPost, path: "/messages/receive", body: receive, wait: wait,
	}, queue, &page)
	return page.Messages, err
}

// Delete deletes a received message. A message that is gone already is not an error.
func (c *Client) Delete(ctx context.Context, queue, receipt string) error {
	path, err := receiptPath(receipt)
	if err != nil {
		return err
	}
	return c.onQueue(ctx, call{name: "Delete", method: http.MethodDelete, path: path}, queue, nil)
}

// DeleteMany deletes up to MaxBatch received messages: one answer per receipt, in
// their order, nil or an *Error.
func (c *Client) DeleteMany(ctx context.Context, queue string, receipts []string) ([]error, error) {
	return c.settle(ctx, call{
		name: "DeleteMany", path: "/messages/delete", body: map[string]any{"receipts": receipts},
	}, queue, len(receipts))
}

// Extend changes when a received message becomes visible again.
func (c *Client) Extend(ctx context.Context, queue string, extend Extend) error {
	path, err := receiptPath(extend.Receipt)
	if err != nil {
		return err
	}
	body := map[string]int{"visibility_timeout": extend.VisibilityTimeout}
	return c.onQueue(ctx, call{name: "Extend", method: http.MethodPatch, path: path, body: body}, queue, nil)
}

// ExtendMany changes when up to MaxBatch received messages become visible again: one
// answer per item, in their order, nil or an *Error.
func (c *Client) ExtendMany(ctx context.Context, queue string, extends []Extend) ([]error, error) {
	return c.settle(ctx, call{
		name: "ExtendMany", path: "/messages/visibility", body: map[string]any{"messages": extends},
	}, queue, len(extends))
}

// Peek returns a page of a queue's messages and changes none.
func (c *Client) Peek(ctx context.Context, queue string, peek Peek) (MessagePage, error) {
	var page MessagePage
	err := c.onQueue(ctx, call{
		name: "Peek", method: http.MethodGet, path: "/messages",
		query: pageQuery("state", peek.State, peek.Limit, peek.Cursor),
	}, queue, &page)
	return page, err
}

// settle makes a batch call whose answers are errors alone.
func (c *Client) settle(ctx context.Context, call call, queue string, items int) ([]error, error) {
	answers, err := c.batch(ctx, call, queue, items)
	if err != nil {
		return nil, err
	}
	errs := make([]error, items)
	for i, answer := range answers {
		errs[i] = answer.Error.itemError()
	}
	return errs, nil
}

// batch makes a call that is answered with one result per item.
func (c *Client) batch(ctx context.Context, call call, queue string, items int) ([]result, error) {
	var answer struct {
		Results []result `json:"results"`
	}
	call.method = http.MethodPost
	if err := c.onQueue(ctx, call, queue, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != items {
		return nil, fmt.Errorf("%s: the server gave %d results for %d items", call.name, len(answer.Results), items)
	}
	return answer.Results, nil
}

// check refuses text that is not UTF-8: JSON cannot carry it, and Go's encoder would
// put other characters in its place.
func (m *SendMessage) check() error {
	if !utf8.ValidString(m.Body) {
		return notUTF8("body")
	}
	if !utf8.ValidString(m.GroupID) {
		return notUTF8("group_id")
	}
	if !utf8.ValidString(m.DeduplicationID) {
		return notUTF8("deduplication_id")
	}
	for name, a := range m.Attributes {
		if !utf8.ValidString(name) || !utf8.ValidString(a.Type) || !utf8.ValidString(a.Value) {
			return notUTF8("attributes")
		}
	}
	return nil
}

func notUTF8(field string) *Error {
	return &Error{Code: "invalid_message", Field: field, Message: "Not UTF-8."}
}

// receiptPath returns a message's path below its queue's. Receipts that would make it
// another route's are refused here; the server judges all others.
func receiptPath(receipt string) (string, error) {
	if receipt == "" || receipt == "." || receipt == ".." {
		return "", &Error{Code: "receipt_invalid", Field: "receipt", Message: "Not a receipt: " + strconv.Quote(receipt) + "."}
	}
	return "/messages/" + url.PathEscape(receipt), nil
}
