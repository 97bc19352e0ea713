package sqs

import (
	"testing"

	"tusq/api/auth/sigv4"
)

// Every reason to refuse a signature has a name and a status.
func TestRefusals(t *testing.T) {
	for _, reason := range []sigv4.Reason{
		sigv4.MissingAuthenticationToken, sigv4.IncompleteSignature, sigv4.InvalidClientTokenID,
		sigv4.SignatureDoesNotMatch, sigv4.RequestTimeTooSkewed, sigv4.RequestExpired,
	} {
		e := asError(t.Context(), &sigv4.Error{Reason: reason, Message: "why"})
		if e.status < 400 || e.status > 403 || e.code != string(reason) || e.name == "" || e.message != "why" {
			t.Errorf("%s is answered as %+v", reason, e)
		}
	}
}
