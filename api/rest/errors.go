package rest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"tusq/internal/telemetry"
	"tusq/service"
)

// statuses is the one table from code to HTTP status. A test holds it against service.Codes.
var statuses = map[service.Code]int{
	service.CodeInternal:             http.StatusInternalServerError,
	service.CodeUnavailable:          http.StatusServiceUnavailable,
	service.CodeStorageFull:          http.StatusInsufficientStorage,
	service.CodeOverloaded:           http.StatusServiceUnavailable,
	service.CodeInvalidRequest:       http.StatusBadRequest,
	service.CodeInvalidParameter:     http.StatusBadRequest,
	service.CodeMissingParameter:     http.StatusBadRequest,
	service.CodeInvalidQueueName:     http.StatusBadRequest,
	service.CodeInvalidMessage:       http.StatusBadRequest,
	service.CodeInvalidAttribute:     http.StatusBadRequest,
	service.CodeReceiptInvalid:       http.StatusBadRequest,
	service.CodeBatchEmpty:           http.StatusBadRequest,
	service.CodeBatchTooMany:         http.StatusBadRequest,
	service.CodeRequestTooLarge:      http.StatusRequestEntityTooLarge,
	service.CodeMessageTooLarge:      http.StatusRequestEntityTooLarge,
	service.CodeBatchTooLarge:        http.StatusRequestEntityTooLarge,
	service.CodeUnsupportedMediaType: http.StatusUnsupportedMediaType,
	service.CodeRouteNotFound:        http.StatusNotFound,
	service.CodeQueueNotFound:        http.StatusNotFound,
	service.CodeMessageNotFound:      http.StatusNotFound,
	service.CodeMethodNotAllowed:     http.StatusMethodNotAllowed,
	service.CodeUnauthenticated:      http.StatusUnauthorized,
	service.CodeForbidden:            http.StatusForbidden,
	service.CodeRateLimited:          http.StatusTooManyRequests,
	service.CodeQueueExists:          http.StatusConflict,
	service.CodeReceiptStale:         http.StatusConflict,
	service.CodeAttemptVoid:          http.StatusConflict,
	service.CodeReceiptExpired:       http.StatusConflict,
	service.CodeQueueDeletedRecently: http.StatusConflict,
	service.CodePurgeInProgress:      http.StatusConflict,
	service.CodeTooManyInFlight:      http.StatusConflict,
	service.CodeKeyInUse:             http.StatusConflict,
	service.CodeKeyReused:            http.StatusUnprocessableEntity,
	service.CodeNotDeadLetterQueue:   http.StatusConflict,
	service.CodeRedriveNotFound:      http.StatusNotFound,
	service.CodeRedriveRunning:       http.StatusConflict,
	service.CodeRedriveEnded:         http.StatusConflict,
	service.CodeUserNotFound:         http.StatusNotFound,
	service.CodeUserExists:           http.StatusConflict,
	service.CodeTooManyUsers:         http.StatusConflict,
	service.CodeStandbyRequired:      http.StatusConflict,
	service.CodeStandbyMissing:       http.StatusServiceUnavailable,
	service.CodeKeyNotFound:          http.StatusNotFound,
	service.CodeTooManyKeys:          http.StatusConflict,
	service.CodeMasterKeyMissing:     http.StatusConflict,
}

const (
	// retryAfter is what an answer 503 or 429 asks the client to wait, in seconds.
	retryAfter = "1"
	// statusClientGone is logged for a request whose client did not wait for the
	// answer. No client sees it.
	statusClientGone = 499
)

// Problem is the body of every error (RFC 9457).
type Problem struct {
	Type      string `json:"type" validate:"required" example:"about:blank"`
	Title     string `json:"title" validate:"required" example:"Not Found"`                        // the status in words
	Status    int    `json:"status" validate:"required" minimum:"400" maximum:"599" example:"404"` // the HTTP status
	Code      string `json:"code" validate:"required" example:"queue_not_found"`                   // what went wrong, for programs
	Detail    string `json:"detail" validate:"required" example:"There is no queue \"orders\"."`   // what went wrong, for people
	Field     string `json:"field,omitempty" example:"visibility_timeout"`                         // the offending field's path or the query parameter
	RequestID string `json:"request_id" validate:"required" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"`
}

// WriteError answers with err as a problem. Only the text of a service.Error is
// told; any other error is internal, and is kept for the log.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errUndelivered):
		return
	case clientGone(r, err):
		w.WriteHeader(statusClientGone)
		return
	}
	code := service.ErrorCode(err)
	status := statuses[code]
	if status >= http.StatusInternalServerError {
		telemetry.SetError(r.Context(), err)
	}
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryAfter)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="tusq"`)
	}
	problem := Problem{
		Type:      "about:blank",
		Title:     http.StatusText(status),
		Status:    status,
		Code:      string(code),
		Detail:    service.ErrorMessage(err),
		Field:     service.ErrorField(err),
		RequestID: telemetry.RequestID(r.Context()),
	}
	_ = writeAs(w, headerProblem, status, problem) // a client that has gone misses only the problem
}

// clientGone tells whether err only says that nobody waits for the answer.
func clientGone(r *http.Request, err error) bool {
	return r.Context().Err() != nil &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// NotFound answers a request for a path that does not exist.
func NotFound(w http.ResponseWriter, r *http.Request) {
	WriteError(w, r, service.Errorf(service.CodeRouteNotFound, "There is nothing at this path."))
}

// methods are those that a route of this server can have.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
}

// MethodNotAllowed answers a request whose path exists with other methods, or with none:
// of a method that nobody knows, the router has not looked at the path.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	path := r.URL.RawPath
	if path == "" {
		path = cmp.Or(r.URL.Path, "/") // of CONNECT it is empty
	}
	var allowed []string
	for _, method := range methods {
		if chi.RouteContext(r.Context()).Routes.Match(chi.NewRouteContext(), method, path) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		NotFound(w, r)
		return
	}
	allow := strings.Join(allowed, ", ")
	w.Header().Set("Allow", allow)
	WriteError(w, r, service.Errorf(service.CodeMethodNotAllowed, "The methods of this path are: %s.", allow))
}

// ItemError is why one item of a call on many failed.
type ItemError struct {
	Code   string `json:"code" validate:"required" example:"receipt_stale"`                                // what went wrong, for programs
	Detail string `json:"detail" validate:"required" example:"The message has been received again since."` // what went wrong, for people
	Field  string `json:"field,omitempty" example:"delay_seconds"`                                         // the offending field's path
}

// itemError makes an item's error, or nil from nil. What is internal is kept for the log.
func itemError(r *http.Request, err error) *ItemError {
	if err == nil {
		return nil
	}
	code := service.ErrorCode(err)
	if statuses[code] >= http.StatusInternalServerError {
		telemetry.SetError(r.Context(), err)
	}
	return &ItemError{Code: string(code), Detail: service.ErrorMessage(err), Field: service.ErrorField(err)}
}

func missing(field string) error {
	return &service.Error{Code: service.CodeMissingParameter, Field: field, Message: field + " is required."}
}
