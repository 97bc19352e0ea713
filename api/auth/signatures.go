package auth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"tusq/api/auth/sigv4"
	"tusq/service"
)

// Signatures authenticate requests that are signed by Amazon's Signature Version 4, with keys
// of the service. A nil *Signatures leaves that to middleware.
type Signatures struct {
	verifier *sigv4.Verifier
	service  *service.Service
}

// NewSignatures returns what verifies signatures by the service's keys.
func NewSignatures(svc *service.Service, opts sigv4.Options) *Signatures {
	return &Signatures{verifier: sigv4.New(opts), service: svc}
}

// errNoPlace means that a request's context does not carry a caller.
var errNoPlace = errors.New("the request's context has no place for its caller")

// Identify finds out who has signed a request with the given body, for Caller to tell. The error
// is a *sigv4.Error, or a service.Error about a key that may not call now.
func (s *Signatures) Identify(r *http.Request, body []byte) error {
	if s == nil {
		return nil
	}
	place, ok := r.Context().Value(Key).(*service.Caller)
	if !ok {
		return errNoPlace
	}
	var secrets [sigv4.MaxSecrets]sigv4.Secret
	verified, err := s.verifier.Verify(r, body, func(keyID string) []sigv4.Secret {
		found := secrets[:0]
		for _, secret := range s.service.SecretsOf(keyID) {
			found = append(found, sigv4.Secret(secret))
		}
		return found
	})
	if err != nil {
		s.service.RefusedCredentials(r.Context(), ClientIP(r.Context()), sigv4.KeyID(r), service.CodeUnauthenticated)
		return err
	}
	*place, err = s.callerOf(r.Context(), verified, secrets[verified.Secret()], ClientIP(r.Context()))
	return err
}

// callerOf returns who a verified request is from. Nothing else may ask the service for that.
func (s *Signatures) callerOf(ctx context.Context, v sigv4.Verified, signedBy sigv4.Secret, from netip.Addr) (service.Caller, error) {
	return s.service.CallerOfSecret(ctx, v.KeyID(), service.Secret(signedBy), from)
}
