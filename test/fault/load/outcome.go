package load

import (
	"context"
	"errors"
	"net"
	"net/http"

	"tusq/test/fault/history"
)

// The Errors of events that no server named.
const (
	errTimeout    = "timeout"
	errConnection = "connection"     // refused, or lost before the whole answer was read
	errAnswer     = "answer"         // acknowledged by an answer that makes no sense
	errUnanswered = "unanswered"     // the answer to a batch does not mention this message
	errTwice      = "answered twice" // the answer to a batch mentions this message more than once
	errMD5        = "md5"            // the checksum in an SQS answer is not that of the message
	errBody       = "not a body of ours"
)

// classify says what is known of a call that was answered with a status, or not at all because of err.
func classify(status int, err error) history.Outcome {
	switch {
	case err != nil:
		return history.Unknown
	case status >= 200 && status < 300:
		return history.OK
	case status >= 400 && status < 500:
		return history.Fail
	}
	return history.Unknown
}

// retryable tells of a refusal whether it says only that now is not the time.
func retryable(status int, code string) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || code == "key_in_use"
}

// transportError names why a call has no answer.
func transportError(err error) string {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return errTimeout
	}
	return errConnection
}
