package sigv4

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxExpires is the longest life of a presigned request, in seconds: a week.
const maxExpires = 7 * 24 * 60 * 60

// The parameters of a presigned request.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token"
)

// isPresigned tells whether the query string has any part of a signature.
func (w *work) isPresigned() bool {
	for _, p := range w.parameters {
		switch string(w.nameOf(p)) {
		case paramAlgorithm, paramCredential, paramSignature:
			return true
		}
	}
	return false
}

// readPresigned reads the parameters of a presigned request.
func (v *Verifier) readPresigned(w *work, r *http.Request, c *claim) *Error {
	c.presigned = true
	var given, credential, expires, signature string
	fields := [...]struct {
		name  string
		value *string
	}{
		{paramAlgorithm, &given}, {paramCredential, &credential}, {paramDate, &c.stamp},
		{paramExpires, &expires}, {paramSignedHeaders, &c.signedHeaders}, {paramSignature, &signature},
	}
	for _, field := range fields {
		value, err := w.single(field.name)
		if err != nil {
			return err
		}
		*field.value = value
	}
	seconds, err := strconv.ParseUint(expires, 10, 32)
	switch {
	case given != algorithm:
		return incomplete("%s must be %s.", paramAlgorithm, algorithm)
	case err != nil || seconds < 1 || seconds > maxExpires:
		return incomplete("%s must be from 1 to %d.", paramExpires, maxExpires)
	case len(r.Header["X-Amz-Date"]) > 0:
		return incomplete("A presigned request must not have an X-Amz-Date header.")
	case w.has(paramToken):
		return errToken
	}
	c.expires = time.Duration(seconds) * time.Second
	return v.finishClaim(w, r, c, credential, signature)
}

// single returns the value of a parameter that must be there once.
func (w *work) single(name string) (string, *Error) {
	value, count := "", 0
	for _, p := range w.parameters {
		if string(w.nameOf(p)) == name {
			value, count = string(w.valueOf(p)), count+1
		}
	}
	if count != 1 {
		return "", incomplete("A presigned request must have one %s.", name)
	}
	if value, err := url.PathUnescape(value); err == nil {
		return value, nil
	}
	return "", incomplete("%s is malformed.", name)
}

func (w *work) has(name string) bool {
	for _, p := range w.parameters {
		if string(w.nameOf(p)) == name {
			return true
		}
	}
	return false
}
