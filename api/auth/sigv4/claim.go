package sigv4

import (
	"net/http"
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

// readClaim reads the claim of a request, which is w's. It puts the signature into
// w.claimed, and the query string into w.parameters.
func (v *Verifier) readClaim(w *work, r *http.Request) (*claim, *Error) {
	path, query, err := splitTarget(r.RequestURI)
	if err != nil {
		return nil, err
	}
	if err := w.readQuery(query); err != nil {
		return nil, err
	}
	c := &w.claim
	c.path = path
	authorization := r.Header["Authorization"]
	inQuery := w.isPresigned()
	switch {
	case len(authorization) > 1, len(authorization) == 1 && inQuery:
		return c, incomplete("The request is signed more than once.")
	case len(authorization) == 1:
		err = v.readHeader(w, r, c, authorization[0])
	case !inQuery:
		return c, refuse(MissingAuthenticationToken, "The request is not signed.")
	case v.noPresigned:
		return c, incomplete("This server accepts no presigned requests.")
	default:
		err = v.readPresigned(w, r, c)
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
