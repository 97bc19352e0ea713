package web

import (
	"errors"
	"net/http"

	"tusq/internal/telemetry"
	"tusq/service"
)

// statuses is the console's table of errors.
var statuses = map[service.Code]int{
	service.CodeInternal:             http.StatusInternalServerError,
	service.CodeUnavailable:          http.StatusServiceUnavailable,
	service.CodeStorageFull:          http.StatusInsufficientStorage,
	service.CodeOverloaded:           http.StatusServiceUnavailable,
	service.CodeInvalidRequest:       http.StatusBadRequest,
	service.CodeInvalidParameter:     http.StatusBadRequest,
	service.CodeMissingParameter:     http.StatusBadRequest,
	service.CodeRequestTooLarge:      http.StatusRequestEntityTooLarge,
	service.CodeUnsupportedMediaType: http.StatusUnsupportedMediaType,
	service.CodeRouteNotFound:        http.StatusNotFound,
	service.CodeMethodNotAllowed:     http.StatusMethodNotAllowed,
	service.CodeUnauthenticated:      http.StatusUnauthorized,
	service.CodeForbidden:            http.StatusForbidden,
	service.CodeRateLimited:          http.StatusTooManyRequests,
	service.CodeQueueNotFound:        http.StatusNotFound,
	service.CodeQueueExists:          http.StatusConflict,
	service.CodeInvalidQueueName:     http.StatusBadRequest,
	service.CodeInvalidMessage:       http.StatusBadRequest,
	service.CodeInvalidAttribute:     http.StatusBadRequest,
	service.CodeMessageTooLarge:      http.StatusRequestEntityTooLarge,
	service.CodeBatchEmpty:           http.StatusBadRequest,
	service.CodeBatchTooMany:         http.StatusBadRequest,
	service.CodeBatchTooLarge:        http.StatusRequestEntityTooLarge,
	service.CodeReceiptInvalid:       http.StatusBadRequest,
	service.CodeReceiptStale:         http.StatusConflict,
	service.CodeMessageNotFound:      http.StatusNotFound,
	service.CodeAttemptVoid:          http.StatusConflict,
	service.CodeReceiptExpired:       http.StatusConflict,
	service.CodeQueueDeletedRecently: http.StatusConflict,
	service.CodePurgeInProgress:      http.StatusConflict,
	service.CodeTooManyInFlight:      http.StatusConflict,
	service.CodeKeyInUse:             http.StatusConflict,
	service.CodeKeyReused:            http.StatusConflict,
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

// headings say in a few words what a status means to the reader of a page.
var headings = map[int]string{
	http.StatusBadRequest:            "That did not work",
	http.StatusUnauthorized:          "Sign in first",
	http.StatusForbidden:             "Refused",
	http.StatusTooManyRequests:       "Too many requests",
	http.StatusNotFound:              "Not found",
	http.StatusMethodNotAllowed:      "Not possible here",
	http.StatusConflict:              "That did not work",
	http.StatusRequestEntityTooLarge: "Too large",
	http.StatusUnsupportedMediaType:  "Not a form",
	http.StatusInternalServerError:   "Something went wrong",
	http.StatusServiceUnavailable:    "Not available just now",
	http.StatusInsufficientStorage:   "No room left",
}

// retrySeconds is when to try again after a 503, for clients and for the page itself.
const retrySeconds = "2"

// statusClientGone is for the log only: nobody is there to read an answer.
const statusClientGone = 499

// failure is an error as a form or a page shows it.
type failure struct {
	Message string
	Field   string // the name of the input that it is about, where there is one
}

type errorView struct {
	Heading   string
	Message   string
	RequestID string // of a fault, to be found in the log; else empty
}

// fail answers err with a page of its own.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		w.WriteHeader(statusClientGone)
		return
	}
	if service.ErrorCode(err) == service.CodeUnauthenticated && c.signIn != nil {
		c.askToSignIn(w, r)
		return
	}
	if service.ErrorCode(err) == service.CodeQueueNotFound && r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Refresh", "true") // the page that polls is out of date as a whole
	}
	c.errorPage(w, r, note(w, r, err), service.ErrorMessage(err))
}

// note does what an error needs beside its text: the cause of a fault for the log
// and the time to try again. It returns the status.
func note(w http.ResponseWriter, r *http.Request, err error) int {
	status := statuses[service.ErrorCode(err)]
	if status >= http.StatusInternalServerError {
		telemetry.SetError(r.Context(), err)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", retrySeconds)
	}
	return status
}

// formFailure is err as the form that led to it shows it.
func formFailure(err error) failure {
	return failure{Message: service.ErrorMessage(err), Field: service.ErrorField(err)}
}

// refill answers a posted form's err with the form, as it was filled in.
func (c *console) refill(w http.ResponseWriter, r *http.Request, err error, form view) error {
	if r.Context().Err() != nil {
		w.WriteHeader(statusClientGone)
		return nil
	}
	form.Status = note(w, r, err)
	return c.render(w, r, form)
}

// errorPage shows an error alone. An answer of 503 to a GET loads itself again.
func (c *console) errorPage(w http.ResponseWriter, r *http.Request, status int, message string) {
	page := errorView{Heading: headings[status], Message: message}
	if status == http.StatusInternalServerError {
		page.RequestID = telemetry.RequestID(r.Context())
	}
	shown := view{Template: "error", Title: page.Heading, Status: status, Page: page}
	if status == http.StatusServiceUnavailable && r.Method == http.MethodGet {
		shown.Refresh = retrySeconds
	}
	if err := c.render(w, r, shown); err != nil {
		telemetry.SetError(r.Context(), err)
		http.Error(w, headings[http.StatusInternalServerError], http.StatusInternalServerError)
	}
}

// readForm parses a posted form: too large and malformed are the sender's errors.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case service.ErrorCode(err) == service.CodeOverloaded:
		return err
	case errors.As(err, &tooLarge):
		return service.Errorf(service.CodeRequestTooLarge, "The form is larger than %s.", formatBytes(maxForm))
	case err != nil:
		return service.Errorf(service.CodeInvalidRequest, "The form cannot be read: it is not correctly encoded.")
	}
	return nil
}
