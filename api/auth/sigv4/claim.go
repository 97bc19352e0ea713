package sigv4

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const algorithm = "AWS4-HMAC-SHA256"

// Limits of what is looked at, in bytes.
const (
	maxAuthorization = 4 << 10
	maxTarget        = 32 << 10
	maxKeyID         = 128
	maxRegion        = 64
)

// stampLayout is the form of X-Amz-Date.
const stampLayout = "20060102T150405Z"

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

// claim is what a request says of its signature. Its form has been checked, but that of
// the signed headers.
type claim struct {
	path          string // raw
	presigned     bool
	keyID         string
	scope         string // date/region/service/aws4_request
	date, region  string
	stamp         string // the time of signing
	time          time.Time
	expires       time.Duration // from then on, of a presigned request
	signedHeaders string
}

// readClaim reads the claim of a request. It puts the signature into w.claimed, and the
// query string into w.parameters.
func (v *Verifier) readClaim(w *work, r *http.Request) (claim, *Error) {
	path, query, err := splitTarget(r.RequestURI)
	if err != nil {
		return claim{}, err
	}
	if err := w.readQuery(query); err != nil {
		return claim{}, err
	}
	c := claim{path: path}
	authorization := r.Header["Authorization"]
	inQuery := w.isPresigned()
	switch {
	case len(authorization) > 1, len(authorization) == 1 && inQuery:
		return c, incomplete("The request is signed more than once.")
	case len(authorization) == 1:
		err = v.readHeader(w, r, &c, authorization[0])
	case !inQuery:
		return c, refuse(MissingAuthenticationToken, "The request is not signed.")
	case v.noPresigned:
		return c, incomplete("This server accepts no presigned requests.")
	default:
		err = v.readPresigned(w, r, &c)
	}
	return c, err
}

// splitTarget returns the raw path and query string of a request target.
func splitTarget(target string) (path, query string, err *Error) {
	if len(target) > maxTarget {
		return "", "", incomplete("The request target is longer than %d bytes.", maxTarget)
	}
	path, query, _ = strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		// The absolute form, http://host/path, which every server must accept.
		_, rest, found := strings.Cut(path, "://")
		if !found {
			return "", "", incomplete("The request target has no path.")
		}
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	return path, query, nil
}

// readHeader reads the Authorization header.
func (v *Verifier) readHeader(w *work, r *http.Request, c *claim, value string) *Error {
	if len(value) > maxAuthorization {
		return incomplete("The Authorization header is longer than %d bytes.", maxAuthorization)
	}
	scheme, rest, _ := strings.Cut(value, " ")
	if scheme != algorithm {
		return incomplete("The Authorization header must begin with %s.", algorithm)
	}
	var credential, signature string
	for more := true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		field := &credential
		switch name {
		case "Credential":
		case "SignedHeaders":
			field = &c.signedHeaders
		case "Signature":
			field = &signature
		default:
			return incomplete("The Authorization header must consist of Credential, SignedHeaders and Signature.")
		}
		if *field != "" || value == "" {
			return incomplete("The Authorization header must have one %s.", name)
		}
		*field = value
	}
	if len(r.Header["X-Amz-Date"]) != 1 {
		return incomplete("The request must have one X-Amz-Date header.")
	}
	c.stamp = r.Header["X-Amz-Date"][0]
	return v.finishClaim(w, r, c, credential, signature)
}

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

var errToken = refuse(InvalidClientTokenID,
	"This server has no session tokens: the client must sign with an access key id and a secret access key alone.")

// finishClaim checks what a signature in the header and a presigned one have in common.
func (v *Verifier) finishClaim(w *work, r *http.Request, c *claim, credential, signature string) *Error {
	if len(r.Header["X-Amz-Security-Token"]) > 0 {
		return errToken
	}
	if err := v.readCredential(c, credential); err != nil {
		return err
	}
	if !w.readSignature(signature) {
		return incomplete("The signature must be 64 lower-case hexadecimal digits.")
	}
	at, err := time.Parse(stampLayout, c.stamp)
	if err != nil || len(c.stamp) != len(stampLayout) {
		return incomplete("X-Amz-Date must have the form YYYYMMDDTHHMMSSZ.")
	}
	c.time = at
	if c.date != c.stamp[:len(c.date)] {
		return refuse(SignatureDoesNotMatch, "The date of the credential's scope is not that of X-Amz-Date.")
	}
	return nil
}

// readCredential reads keyID/date/region/service/aws4_request.
func (v *Verifier) readCredential(c *claim, credential string) *Error {
	c.keyID, c.scope, _ = strings.Cut(credential, "/")
	date, rest, _ := strings.Cut(c.scope, "/")
	region, rest, _ := strings.Cut(rest, "/")
	service, terminator, _ := strings.Cut(rest, "/")
	c.date, c.region = date, region
	switch {
	case !isName(c.keyID, maxKeyID), len(date) != len("20060102"), !isName(region, maxRegion):
		return incomplete("The credential must have the form <key id>/<yyyymmdd>/<region>/%s/aws4_request.", v.service)
	case terminator != "aws4_request":
		return refuse(SignatureDoesNotMatch, "The credential's scope must end with aws4_request.")
	case service != v.service:
		return refuse(SignatureDoesNotMatch, "The credential's scope must name the service %s.", v.service)
	case v.region != "" && region != v.region:
		return refuse(SignatureDoesNotMatch, "The credential's scope must name the region %s.", v.region)
	}
	return nil
}

// isName tells whether a key id or region is well-formed.
func isName(s string, longest int) bool {
	if s == "" || len(s) > longest {
		return false
	}
	for i := range len(s) {
		if !isUnreserved(s[i]) {
			return false
		}
	}
	return true
}

// readSignature decodes a signature into w.claimed.
func (w *work) readSignature(signature string) bool {
	if len(signature) != 2*len(w.claimed) {
		return false
	}
	for i := range w.claimed {
		high, low := signature[2*i], signature[2*i+1]
		if !isLowerHex(high) || !isLowerHex(low) {
			return false
		}
		w.claimed[i] = unhex(high)<<4 | unhex(low)
	}
	return true
}

// checkTime tells whether a request is of now.
func (v *Verifier) checkTime(c *claim) *Error {
	now := v.now().UTC()
	if c.time.After(now.Add(v.window)) {
		return refuse(RequestTimeTooSkewed, "Signature not yet current: %s is later than %s (%s + %v).",
			c.stamp, now.Add(v.window).Format(stampLayout), now.Format(stampLayout), v.window)
	}
	if c.presigned {
		if end := c.time.Add(c.expires); now.After(end) {
			return refuse(RequestExpired, "The presigned request expired at %s; it is %s.",
				end.Format(stampLayout), now.Format(stampLayout))
		}
		return nil
	}
	if c.time.Before(now.Add(-v.window)) {
		return refuse(RequestTimeTooSkewed, "Signature expired: %s is earlier than %s (%s - %v).",
			c.stamp, now.Add(-v.window).Format(stampLayout), now.Format(stampLayout), v.window)
	}
	return nil
}
