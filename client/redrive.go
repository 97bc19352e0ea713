package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// StartRedrive asks that the messages of a dead-letter queue be moved.
type StartRedrive struct {
	Destination string `json:"destination,omitempty"` // the queue to move to; empty: each message to the one that it came from
	Rate        int    `json:"rate,omitempty"`        // messages per second, 1 to 500; 0: as fast as it goes
}

// Redrive is a job of the server that moves messages, oldest first.
type Redrive struct {
	ID          string        `json:"id"`
	Source      string        `json:"source"`
	Destination string        `json:"destination,omitempty"` // as in StartRedrive
	Rate        int           `json:"rate,omitempty"`        // as in StartRedrive
	Status      RedriveStatus `json:"status"`
	Moved       int64         `json:"moved"`
	ToMove      int64         `json:"to_move"`           // how many there were at the start
	Failure     string        `json:"failure,omitempty"` // why it failed
	StartedAt   time.Time     `json:"started_at"`
	EndedAt     time.Time     `json:"ended_at,omitzero"` // zero: it has not ended
}

// Ended tells whether nothing more is moved.
func (r Redrive) Ended() bool { return !r.EndedAt.IsZero() }

// RedriveStatus is where a redrive is.
type RedriveStatus string

// The statuses.
const (
	RedriveRunning    RedriveStatus = "running"
	RedriveCancelling RedriveStatus = "cancelling" // it ends at its next step
	RedriveCancelled  RedriveStatus = "cancelled"
	RedriveCompleted  RedriveStatus = "completed"
	RedriveFailed     RedriveStatus = "failed"
)

// StartRedrive starts to move the messages that are visible in a dead-letter queue. The
// code redrive_running means that an earlier one has not ended.
func (c *Client) StartRedrive(ctx context.Context, source string, start StartRedrive) (Redrive, error) {
	var redrive Redrive
	err := c.onQueue(ctx, call{name: "StartRedrive", method: http.MethodPost, path: "/redrive", body: start}, source, &redrive)
	return redrive, err
}

// GetRedrive returns a redrive. The server keeps those that have ended for a day.
func (c *Client) GetRedrive(ctx context.Context, id string) (Redrive, error) {
	return c.onRedrive(ctx, call{name: "GetRedrive", method: http.MethodGet}, id)
}

// CancelRedrive makes a redrive end soon: what it has moved stays moved.
func (c *Client) CancelRedrive(ctx context.Context, id string) (Redrive, error) {
	return c.onRedrive(ctx, call{name: "CancelRedrive", method: http.MethodDelete}, id)
}

// ListRedrives returns the newest redrives of a dead-letter queue, newest first: limit at
// most, 1 to 1000; 0: 1000.
func (c *Client) ListRedrives(ctx context.Context, source string, limit int) ([]Redrive, error) {
	var answer struct {
		Redrives []Redrive `json:"redrives"`
	}
	err := c.onQueue(ctx, call{
		name: "ListRedrives", method: http.MethodGet, path: "/redrives", query: pageQuery("", "", limit, ""),
	}, source, &answer)
	return answer.Redrives, err
}

// onRedrive makes a call on a redrive.
func (c *Client) onRedrive(ctx context.Context, call call, id string) (Redrive, error) {
	if id == "" || id == "." || id == ".." {
		return Redrive{}, &Error{Code: "redrive_not_found", Field: "redrive", Message: "Not a redrive's id: " + strconv.Quote(id) + "."}
	}
	call.path = "/v1/redrives/" + url.PathEscape(id)
	var redrive Redrive
	_, _, err := c.do(ctx, call, &redrive)
	return redrive, err
}
