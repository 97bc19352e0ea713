package sqs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"tusq/api/auth/sigv4"
	"tusq/internal/telemetry"
	"tusq/service"
)

// maxShown bounds what an error repeats of a request, in bytes.
const maxShown = 1024

// kind is a kind of error as SQS names it.
type kind struct {
	name   string // in JSON, with its namespace
	code   string // in Query, in x-amzn-query-error, and in batch entries of both
	status int
}

// fault says whose fault it is.
func (k kind) fault() string {
	if k.status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

func modeled(name, code string, status int) kind {
	return kind{name: "com.amazonaws.sqs#" + name, code: code, status: status}
}

func common(name, code string, status int) kind {
	return kind{name: "com.amazon.coral.service#" + name, code: code, status: status}
}

// simple is the prefix of the Query codes of SQS's older errors.
const simple = "AWS.SimpleQueueService."

// The kinds of errors.
var (
	batchEntryIDsNotDistinct = modeled("BatchEntryIdsNotDistinct", simple+"BatchEntryIdsNotDistinct", 400)
	batchRequestTooLong      = modeled("BatchRequestTooLong", simple+"BatchRequestTooLong", 400)
	emptyBatchRequest        = modeled("EmptyBatchRequest", simple+"EmptyBatchRequest", 400)
	invalidAddress           = modeled("InvalidAddress", "InvalidAddress", 404)
	invalidAttributeName     = modeled("InvalidAttributeName", "InvalidAttributeName", 400)
	invalidAttributeValue    = modeled("InvalidAttributeValue", "InvalidAttributeValue", 400)
	invalidBatchEntryID      = modeled("InvalidBatchEntryId", simple+"InvalidBatchEntryId", 400)
	invalidMessageContents   = modeled("InvalidMessageContents", "InvalidMessageContents", 400)
	overLimit                = modeled("OverLimit", "OverLimit", 403)
	purgeQueueInProgress     = modeled("PurgeQueueInProgress", simple+"PurgeQueueInProgress", 403)
	queueDeletedRecently     = modeled("QueueDeletedRecently", simple+"QueueDeletedRecently", 400)
	queueDoesNotExist        = modeled("QueueDoesNotExist", simple+"NonExistentQueue", 400)
	queueNameExists          = modeled("QueueNameExists", "QueueAlreadyExists", 400)
	receiptHandleIsInvalid   = modeled("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404)
	resourceNotFound         = modeled("ResourceNotFoundException", "ResourceNotFoundException", 404)
	tooManyEntries           = modeled("TooManyEntriesInBatchRequest", simple+"TooManyEntriesInBatchRequest", 400)
	unsupportedOperation     = modeled("UnsupportedOperation", simple+"UnsupportedOperation", 400)

	accessDenied          = common("AccessDeniedException", "AccessDenied", 403)
	requestThrottled      = modeled("RequestThrottled", "RequestThrottled", 403)
	internalFailure       = common("InternalFailure", "InternalFailure", 500)
	invalidAction         = common("InvalidAction", "InvalidAction", 400)
	invalidParameterValue = common("InvalidParameterValueException", "InvalidParameterValue", 400)
	methodNotAllowed      = common("MethodNotAllowedException", "MethodNotAllowed", 405)
	missingParameter      = common("MissingRequiredParameterException", "MissingParameter", 400)
	requestTooLarge       = common("RequestEntityTooLargeException", "RequestEntityTooLarge", 413)
	serialization         = common("SerializationException", "SerializationException", 400)
	serviceUnavailable    = common("ServiceUnavailableException", "ServiceUnavailable", 503)
	unrecognizedClient    = common("UnrecognizedClientException", "InvalidClientTokenId", 403)
	unknownOperation      = common("UnknownOperationException", "InvalidAction", 400)
	unsupportedMediaType  = common("UnsupportedMediaTypeException", "UnsupportedMediaType", 415)
)

// codes maps the service's codes. Where text is empty the service's message is
// shown; actions that know SQS's own words for a case say them first.
var codes = map[service.Code]struct {
	kind kind
	text string
}{
	service.CodeInternal:             {internalFailure, "We encountered an internal error. Please try again."},
	service.CodeUnavailable:          {serviceUnavailable, "The service is temporarily unavailable. Please try again."},
	service.CodeStorageFull:          {serviceUnavailable, "The service has no room left to store messages. Please try again later."},
	service.CodeOverloaded:           {serviceUnavailable, "The service is overloaded. Please try again later."},
	service.CodeInvalidRequest:       {serialization, ""},
	service.CodeInvalidParameter:     {invalidParameterValue, ""},
	service.CodeMissingParameter:     {missingParameter, ""},
	service.CodeRequestTooLarge:      {requestTooLarge, ""},
	service.CodeUnsupportedMediaType: {unsupportedMediaType, ""},
	service.CodeRouteNotFound:        {unknownOperation, ""},
	service.CodeMethodNotAllowed:     {methodNotAllowed, ""},
	service.CodeUnauthenticated:      {unrecognizedClient, "The security token included in the request is invalid."},
	service.CodeForbidden:            {accessDenied, "Access to the resource is denied."},
	service.CodeRateLimited:          {requestThrottled, ""},
	service.CodeQueueNotFound:        {queueDoesNotExist, "The specified queue does not exist."},
	service.CodeQueueExists:          {queueNameExists, ""},
	service.CodeInvalidQueueName:     {invalidParameterValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"},
	service.CodeInvalidMessage:       {invalidMessageContents, ""},
	service.CodeInvalidAttribute:     {invalidParameterValue, ""},
	service.CodeMessageTooLarge:      {invalidParameterValue, ""},
	service.CodeBatchEmpty:           {emptyBatchRequest, ""},
	service.CodeBatchTooMany:         {tooManyEntries, ""},
	service.CodeBatchTooLarge:        {batchRequestTooLong, ""},
	service.CodeReceiptInvalid:       {receiptHandleIsInvalid, ""},
	service.CodeReceiptStale:         {invalidParameterValue, ""},
	service.CodeReceiptExpired:       {invalidParameterValue, ""},
	service.CodeAttemptVoid:          {invalidParameterValue, ""},
	service.CodeMessageNotFound:      {invalidParameterValue, ""},
	service.CodeQueueDeletedRecently: {queueDeletedRecently, "You must wait 60 seconds after deleting a queue before you can create another with the same name."},
	service.CodePurgeInProgress:      {purgeQueueInProgress, ""},
	service.CodeTooManyInFlight:      {overLimit, ""},
	service.CodeKeyInUse:             {serviceUnavailable, ""},
	service.CodeKeyReused:            {invalidParameterValue, ""},
	service.CodeNotDeadLetterQueue:   {invalidParameterValue, "Source queue must be configured as a Dead Letter Queue."},
	service.CodeRedriveNotFound:      {resourceNotFound, "Task does not exist."},
	service.CodeRedriveRunning:       {invalidParameterValue, "There is already a task running. Only one active task is allowed for a source queue arn at a given time."},
	service.CodeRedriveEnded:         {resourceNotFound, "Task does not exist."},
	service.CodeUserNotFound:         {resourceNotFound, ""},
	service.CodeUserExists:           {invalidParameterValue, ""},
	service.CodeTooManyUsers:         {overLimit, ""},
	service.CodeStandbyRequired:      {invalidParameterValue, ""},
	service.CodeStandbyMissing:       {serviceUnavailable, ""},
	service.CodeKeyNotFound:          {resourceNotFound, ""},
	service.CodeTooManyKeys:          {overLimit, ""},
	service.CodeMasterKeyMissing:     {invalidParameterValue, ""},
}

// refusals are the kinds of signatures that are not verified. SDKs know by them that their clock is
// wrong, and correct it by the answer's Date.
var refusals = map[sigv4.Reason]kind{
	sigv4.MissingAuthenticationToken: common("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403),
	sigv4.IncompleteSignature:        common("IncompleteSignatureException", "IncompleteSignature", 400),
	sigv4.InvalidClientTokenID:       unrecognizedClient,
	sigv4.SignatureDoesNotMatch:      common("InvalidSignatureException", "SignatureDoesNotMatch", 403),
	sigv4.RequestTimeTooSkewed:       common("RequestTimeTooSkewed", "RequestTimeTooSkewed", 403),
	sigv4.RequestExpired:             common("RequestExpired", "RequestExpired", 400),
}

// errNoQueue is the answer about a queue that the caller does not have.
var errNoQueue = &apiError{kind: queueDoesNotExist, message: codes[service.CodeQueueNotFound].text}

// apiError is an error as it is answered.
type apiError struct {
	kind
	message string
	cause   error // for the log; nil where the fault is the client's
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func (e *apiError) Unwrap() error { return e.cause }

func errorf(k kind, format string, args ...any) *apiError {
	return &apiError{kind: k, message: fmt.Sprintf(format, args...)}
}

func missing(parameter string) *apiError {
	return errorf(missingParameter, "The request must contain the parameter %s.", parameter)
}

func invalidValue(value any, parameter, reason string) *apiError {
	return errorf(invalidParameterValue, "Value %s for parameter %s is invalid. Reason: %s",
		shown(fmt.Sprint(value)), parameter, reason)
}

// asError returns err as it is answered and notes the cause of a server's fault
// for the log. A context that has ended is no fault: whoever still listens may
// try again.
func asError(ctx context.Context, err error) *apiError {
	var e *apiError
	var refused *sigv4.Error
	switch {
	case errors.As(err, &e):
	case errors.As(err, &refused):
		e = &apiError{kind: refusals[refused.Reason], message: refused.Message}
	default:
		e = fromService(err)
	}
	if e.status >= http.StatusInternalServerError {
		telemetry.SetError(ctx, err)
	}
	return e
}

func fromService(err error) *apiError {
	code := service.ErrorCode(err)
	if code == service.CodeInternal && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		code = service.CodeUnavailable
	}
	entry := codes[code]
	message := entry.text
	if message == "" {
		message = service.ErrorMessage(err)
	}
	return &apiError{kind: entry.kind, message: message, cause: err}
}

// shown returns what an error repeats of a value: its beginning.
func shown(value string) string {
	if len(value) <= maxShown {
		return value
	}
	cut := maxShown
	for cut > 0 && !utf8.RuneStart(value[cut]) {
		cut--
	}
	return value[:cut] + "..."
}

// setErrorHeaders says in an error's answer what else HTTP has to say of it: to wait a second, or what would be allowed.
func setErrorHeaders(w http.ResponseWriter, e *apiError) {
	switch e.kind {
	case serviceUnavailable, requestThrottled:
		w.Header().Set("Retry-After", "1")
	case methodNotAllowed:
		w.Header().Set("Allow", "GET, POST")
	}
}
