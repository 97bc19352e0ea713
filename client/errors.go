package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is a refusal: by the server, of a call or of one item of it, or by the client
// itself of what cannot be sent.
type Error struct {
	Status     int           // the HTTP status; 0 for one item, or when the client refused
	Code       string        // machine-readable, such as "queue_not_found"; empty when a proxy answered
	Message    string        // for people
	Field      string        // the field that it is about; empty: none
	RequestID  string        // finds the call in the server's log; empty for one item
	RetryAfter time.Duration // before which the server asks not to be called again; 0: not said
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	var notes []string
	if e.Code != "" {
		notes = append(notes, e.Code)
	}
	if e.Field != "" {
		notes = append(notes, "field "+e.Field)
	}
	if e.RequestID != "" {
		notes = append(notes, "request "+e.RequestID)
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	return b.String()
}

// Temporary tells whether the same call may succeed later, unchanged. That an earlier try
// of it is still being carried out (key_in_use) is temporary.
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusConflict:
		return e.Code == "key_in_use"
	case 0:
		return e.Code == "unavailable" || e.Code == "overloaded" || e.Code == "standby_missing"
	}
	return false
}

// ErrorCode returns the Code of the Error in err's chain, or "".
func ErrorCode(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// problem is an error on the wire: a whole answer's or one item's.
type problem struct {
	Code      string `json:"code"`
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Field     string `json:"field"`
	RequestID string `json:"request_id"`
}

// itemError returns the error of one item, or nil.
func (p *problem) itemError() error {
	if p == nil {
		return nil
	}
	return &Error{Code: p.Code, Message: p.Detail, Field: p.Field}
}

// answerError makes an Error of an answer that is not a success, whoever gave it.
func answerError(resp *http.Response) *Error {
	const limit = 64 << 10
	var p problem
	if text, err := io.ReadAll(io.LimitReader(resp.Body, limit)); err != nil || json.Unmarshal(text, &p) != nil {
		p = problem{}
	}
	e := &Error{
		Status:     resp.StatusCode,
		Code:       p.Code,
		Message:    p.Detail,
		Field:      p.Field,
		RequestID:  resp.Header.Get("X-Request-Id"),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
	}
	if e.Message == "" {
		e.Message = "The server answered " + resp.Status + "."
	}
	if e.RequestID == "" {
		e.RequestID = p.RequestID
	}
	return e
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
