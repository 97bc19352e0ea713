package service

import (
	"errors"
	"fmt"
)

// Code names a kind of error. The list is closed: each dialect maps every code
// to its own status and wire name, and a test walks Codes to see that it does.
type Code string

// The codes. Their texts are the REST dialect's machine-readable codes.
const (
	CodeInternal             Code = "internal"               // a fault of tusq; the cause is logged, never shown
	CodeUnavailable          Code = "unavailable"            // the database cannot be reached; try again
	CodeStorageFull          Code = "storage_full"           // the database's disk is full: nothing can be sent now
	CodeOverloaded           Code = "overloaded"             // too much is pending; try again later
	CodeInvalidRequest       Code = "invalid_request"        // not to be parsed, unknown field, wrong type
	CodeInvalidParameter     Code = "invalid_parameter"      // a value out of its range or form
	CodeMissingParameter     Code = "missing_parameter"      // a required value is absent
	CodeRequestTooLarge      Code = "request_too_large"      // the HTTP body is over its limit
	CodeUnsupportedMediaType Code = "unsupported_media_type" // a body of a type that is not spoken here
	CodeRouteNotFound        Code = "route_not_found"        // no such path
	CodeMethodNotAllowed     Code = "method_not_allowed"     // the path exists, with other methods
	CodeUnauthenticated      Code = "unauthenticated"        // no credentials, or none that are valid
	CodeForbidden            Code = "forbidden"              // the credentials do not permit this
	CodeRateLimited          Code = "rate_limited"           // too many requests of this key or account; try again
	CodeQueueNotFound        Code = "queue_not_found"        // no such queue, or it was deleted
	CodeQueueExists          Code = "queue_exists"           // it exists with other settings
	CodeInvalidQueueName     Code = "invalid_queue_name"     // not 1 to 80 of A-Z a-z 0-9 _ -
	CodeInvalidMessage       Code = "invalid_message"        // a character that messages cannot hold
	CodeInvalidAttribute     Code = "invalid_attribute"      // a message attribute against the rules
	CodeMessageTooLarge      Code = "message_too_large"      // over the queue's maximum message size
	CodeBatchEmpty           Code = "batch_empty"            // a batch without entries
	CodeBatchTooMany         Code = "batch_too_many"         // a batch with too many entries
	CodeBatchTooLarge        Code = "batch_too_large"        // a batch with too many bytes
	CodeReceiptInvalid       Code = "receipt_invalid"        // not a receipt of this queue
	CodeReceiptStale         Code = "receipt_stale"          // the message was received again since
	CodeReceiptExpired       Code = "receipt_expired"        // of a FIFO queue: the lease has ended
	CodeAttemptVoid          Code = "attempt_void"           // what the attempt got has been settled since
	CodeMessageNotFound      Code = "message_not_found"      // the receipt's message is gone
	CodeQueueDeletedRecently Code = "queue_deleted_recently" // its name may not be used again yet
	CodePurgeInProgress      Code = "purge_in_progress"      // it was purged a moment ago
	CodeTooManyInFlight      Code = "too_many_in_flight"     // delete some before more are received
	CodeKeyInUse             Code = "key_in_use"             // a call of this idempotency key is being carried out
	CodeKeyReused            Code = "key_reused"             // this idempotency key has named another call
	CodeNotDeadLetterQueue   Code = "not_dead_letter_queue"  // no queue names it as its dead-letter queue
	CodeRedriveNotFound      Code = "redrive_not_found"      // no such redrive
	CodeRedriveRunning       Code = "redrive_running"        // the queue has one that has not ended
	CodeRedriveEnded         Code = "redrive_ended"          // it cannot be cancelled any more
	CodeStandbyRequired      Code = "standby_required"       // this durability needs a synchronous standby, and none is named
	CodeStandbyMissing       Code = "standby_missing"        // the queue's durability cannot be kept now; try again
	CodeKeyNotFound          Code = "key_not_found"          // no such key, or it was revoked
	CodeTooManyKeys          Code = "too_many_keys"          // revoke some before more are made
	CodeMasterKeyMissing     Code = "master_key_missing"     // keys need one to seal their secrets
	CodeUserNotFound         Code = "user_not_found"         // no such user
	CodeUserExists           Code = "user_exists"            // a user of this name exists
	CodeTooManyUsers         Code = "too_many_users"         // delete some before more are made
)

// Codes lists every code.
var Codes = []Code{
	CodeInternal, CodeUnavailable, CodeStorageFull, CodeOverloaded, CodeInvalidRequest, CodeInvalidParameter,
	CodeMissingParameter, CodeRequestTooLarge, CodeUnsupportedMediaType, CodeRouteNotFound,
	CodeMethodNotAllowed, CodeUnauthenticated, CodeForbidden, CodeRateLimited,
	CodeQueueNotFound, CodeQueueExists, CodeInvalidQueueName,
	CodeInvalidMessage, CodeInvalidAttribute, CodeMessageTooLarge, CodeBatchEmpty,
	CodeBatchTooMany, CodeBatchTooLarge, CodeReceiptInvalid, CodeReceiptStale, CodeReceiptExpired,
	CodeAttemptVoid, CodeMessageNotFound, CodeQueueDeletedRecently, CodePurgeInProgress, CodeTooManyInFlight, CodeKeyInUse,
	CodeKeyReused, CodeNotDeadLetterQueue, CodeRedriveNotFound, CodeRedriveRunning, CodeRedriveEnded,
	CodeStandbyRequired, CodeStandbyMissing, CodeKeyNotFound, CodeTooManyKeys, CodeMasterKeyMissing,
	CodeUserNotFound, CodeUserExists, CodeTooManyUsers,
}

// Error is an error that may be told to the caller: its message is safe to show.
// Any other error is internal, and its text never leaves the process.
type Error struct {
	Code    Code
	Message string // for the caller; no secret, no body
	Field   string // the offending field, snake_case, where there is one
	Err     error  // the cause, for the log; nil where there is none
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a message for the caller.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// invalid makes a CodeInvalidParameter error about one field.
func invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalidParameter, Field: field, Message: fmt.Sprintf(format, args...)}
}

// ErrorCode returns the code of err: that of the Error in its chain, or CodeInternal.
func ErrorCode(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// ErrorMessage returns the text of err that may be shown to a caller.
func ErrorMessage(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "Internal error. The server's log has the details, under this request's id."
}

// ErrorField returns the field that err is about, or "".
func ErrorField(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}
