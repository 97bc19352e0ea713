package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Queue is a queue and its settings. Times named seconds or timeout are in seconds.
type Queue struct {
	Name              string            `json:"name"`
	VisibilityTimeout int               `json:"visibility_timeout"`
	DelaySeconds      int               `json:"delay_seconds"`
	RetentionSeconds  int               `json:"retention_seconds"`
	WaitSeconds       int               `json:"wait_seconds"`
	MaxMessageSize    int               `json:"max_message_size"` // bytes
	DeadLetter        *DeadLetter       `json:"dead_letter,omitempty"`
	Durability        string            `json:"durability"` // default, async, local, quorum or applied
	Encryption        string            `json:"encryption"` // none or body
	FIFO              bool              `json:"fifo"`       // its name ends with FIFOSuffix
	Tags              map[string]string `json:"tags,omitempty"`
	CreatedAt         time.Time         `json:"created_at"`
	UpdatedAt         time.Time         `json:"updated_at"`

	ContentDeduplication bool   `json:"content_deduplication,omitempty"` // of a FIFO queue: a message without deduplication id gets its body's SHA-256
	DeduplicationScope   string `json:"deduplication_scope,omitempty"`   // of a FIFO queue: queue or group
}

// FIFOSuffix ends the name of every FIFO queue and of no other.
const FIFOSuffix = ".fifo"

// DeadLetter says where a message goes that was received too often.
type DeadLetter struct {
	Queue       string `json:"queue"`
	MaxReceives int    `json:"max_receives"`
}

// Settings are a queue's settings to set. Nil leaves a setting as it is, or, of a new
// queue, at its default.
type Settings struct {
	VisibilityTimeout *int              `json:"visibility_timeout,omitempty"`
	DelaySeconds      *int              `json:"delay_seconds,omitempty"`
	RetentionSeconds  *int              `json:"retention_seconds,omitempty"`
	WaitSeconds       *int              `json:"wait_seconds,omitempty"`
	MaxMessageSize    *int              `json:"max_message_size,omitempty"`
	DeadLetter        *DeadLetter       `json:"dead_letter,omitempty"`
	Durability        string            `json:"durability,omitempty"` // default, async, local, quorum or applied; empty is nil
	Encryption        string            `json:"encryption,omitempty"` // none or body; empty is nil
	Tags              map[string]string `json:"tags,omitzero"`        // replaces all

	ContentDeduplication *bool `json:"content_deduplication,omitempty"` // of a FIFO queue only
}

// CreateQueue asks for a queue.
type CreateQueue struct {
	Name               string `json:"name"`                          // of a FIFO queue: ends with FIFOSuffix
	DeduplicationScope string `json:"deduplication_scope,omitempty"` // of a FIFO queue only: queue or group; empty: queue
	Settings
}

// UpdateQueue asks for a change of a queue.
type UpdateQueue struct {
	Settings
	RemoveDeadLetter bool `json:"-"` // Settings.DeadLetter is ignored then
}

// ListQueues asks for a page of queues in the order of their names.
type ListQueues struct {
	Prefix     string // of their names
	DeadLetter string // only queues whose dead-letter queue has this name; empty: all
	Limit      int    // 1 to 1000; 0: 1000
	Cursor     string // of the page before; empty for the first
}

// QueuePage is one page of queues.
type QueuePage struct {
	Queues []Queue `json:"queues"`
	Cursor string  `json:"cursor"` // of the next page; empty on the last
}

// QueueStats are exact counts of a queue's messages at one moment.
type QueueStats struct {
	Visible  int64 `json:"visible"`
	InFlight int64 `json:"in_flight"`
	Delayed  int64 `json:"delayed"`
	Total    int64 `json:"total"`
}

// CreateQueue makes a queue, or returns the one that exists with these settings;
// created tells which. The code queue_exists means that it has others.
func (c *Client) CreateQueue(ctx context.Context, create CreateQueue) (queue Queue, created bool, err error) {
	status, _, err := c.do(ctx, call{
		name: "CreateQueue", method: http.MethodPost, path: "/v1/queues", body: create,
	}, &queue)
	return queue, status == http.StatusCreated, err
}

// GetQueue returns a queue.
func (c *Client) GetQueue(ctx context.Context, name string) (Queue, error) {
	var queue Queue
	err := c.onQueue(ctx, call{name: "GetQueue", method: http.MethodGet}, name, &queue)
	return queue, err
}

// ListQueues returns a page of queues.
func (c *Client) ListQueues(ctx context.Context, list ListQueues) (QueuePage, error) {
	query := pageQuery("prefix", list.Prefix, list.Limit, list.Cursor)
	if list.DeadLetter != "" {
		query.Set("dead_letter", list.DeadLetter)
	}
	var page QueuePage
	_, _, err := c.do(ctx, call{name: "ListQueues", method: http.MethodGet, path: "/v1/queues", query: query}, &page)
	return page, err
}

// Queues goes through all queues whose names have the prefix, in the order of their
// names. It ends after the first error.
func (c *Client) Queues(ctx context.Context, prefix string) iter.Seq2[Queue, error] {
	return func(yield func(Queue, error) bool) {
		list := ListQueues{Prefix: prefix}
		for {
			page, err := c.ListQueues(ctx, list)
			if err != nil {
				yield(Queue{}, err)
				return
			}
			for _, queue := range page.Queues {
				if !yield(queue, nil) {
					return
				}
			}
			if page.Cursor == "" {
				return
			}
			list.Cursor = page.Cursor
		}
	}
}

// UpdateQueue changes a queue's settings and returns it as it is then.
func (c *Client) UpdateQueue(ctx context.Context, name string, update UpdateQueue) (Queue, error) {
	body := struct {
		Settings
		DeadLetter any `json:"dead_letter,omitzero"` // shadows that of Settings
	}{Settings: update.Settings}
	switch {
	case update.RemoveDeadLetter:
		body.DeadLetter = json.RawMessage("null")
	case update.DeadLetter != nil:
		body.DeadLetter = update.DeadLetter
	}
	var queue Queue
	err := c.onQueue(ctx, call{name: "UpdateQueue", method: http.MethodPatch, body: body}, name, &queue)
	return queue, err
}

// DeleteQueue deletes a queue and all its messages.
func (c *Client) DeleteQueue(ctx context.Context, name string) error {
	path, err := queuePath(name)
	if err != nil {
		return err
	}
	_, tries, err := c.do(ctx, call{name: "DeleteQueue", method: http.MethodDelete, path: path}, nil)
	if tries > 1 && ErrorCode(err) == "queue_not_found" {
		return nil // an earlier try deleted it, and its answer was lost
	}
	return err
}

// PurgeQueue deletes the messages that were sent before the call, and returns their number.
func (c *Client) PurgeQueue(ctx context.Context, name string) (int64, error) {
	var answer struct {
		Purged int64 `json:"purged"`
	}
	err := c.onQueue(ctx, call{name: "PurgeQueue", method: http.MethodPost, path: "/purge"}, name, &answer)
	return answer.Purged, err
}

// QueueStats counts a queue's messages.
func (c *Client) QueueStats(ctx context.Context, name string) (QueueStats, error) {
	var stats QueueStats
	err := c.onQueue(ctx, call{name: "QueueStats", method: http.MethodGet, path: "/stats"}, name, &stats)
	return stats, err
}

// onQueue makes a call whose path is below the queue's.
func (c *Client) onQueue(ctx context.Context, call call, queue string, out any) error {
	path, err := queuePath(queue)
	if err != nil {
		return err
	}
	call.path = path + call.path
	_, _, err = c.do(ctx, call, out)
	return err
}

// queuePath returns the queue's path. Names that would make it another route's are
// refused here; the server judges all others.
func queuePath(name string) (string, error) {
	if name == "" || name == "." || name == ".." {
		return "", &Error{Code: "invalid_queue_name", Field: "queue", Message: "Not a queue's name: " + strconv.Quote(name) + "."}
	}
	return "/v1/queues/" + url.PathEscape(name), nil
}

// pageQuery returns the query of a page; filter is the name of what narrows it down.
func pageQuery(filter, value string, limit int, cursor string) url.Values {
	query := url.Values{}
	if value != "" {
		query.Set(filter, value)
	}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}
