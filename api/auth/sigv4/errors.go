package sigv4

import "fmt"

// Reason is why a request was refused: the code of the Query protocol.
type Reason string

// The reasons. The package's comment has their statuses and names in JSON.
const (
	// MissingAuthenticationToken: the request has no signature at all.
	MissingAuthenticationToken Reason = "MissingAuthenticationToken"
	// IncompleteSignature: the signature is malformed, doubled, or does not cover what it must.
	IncompleteSignature Reason = "IncompleteSignature"
	// InvalidClientTokenID: no such access key, or a session token.
	InvalidClientTokenID Reason = "InvalidClientTokenId"
	// SignatureDoesNotMatch: the signature is not that of this request.
	SignatureDoesNotMatch Reason = "SignatureDoesNotMatch"
	// RequestTimeTooSkewed: the request's time is too far from the server's.
	RequestTimeTooSkewed Reason = "RequestTimeTooSkewed"
	// RequestExpired: the presigned request was valid, and no longer is.
	RequestExpired Reason = "RequestExpired"
)

// Error is a refusal. Its message may be shown to the client: it holds no secret, and
// nothing of the request but names and times.
type Error struct {
	Reason  Reason
	Message string
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Message }

func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func incomplete(format string, args ...any) *Error {
	return refuse(IncompleteSignature, format, args...)
}
