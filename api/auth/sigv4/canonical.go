package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// Limits of the signed headers: their number, the length of a name, and the canonical
// request, in bytes.
const (
	maxSignedHeaders = 64
	maxName          = 128
	maxCanonical     = 256 << 10
)

// writeCanonical writes the canonical request into w.buffer.
func (w *work) writeCanonical(r *http.Request, body []byte, c *claim) *Error {
	var digest [2 * sha256.Size]byte
	sum := sha256.Sum256(body)
	hex.Encode(digest[:], sum[:])
	if err := checkHash(r, digest[:]); err != nil {
		return err
	}
	w.buffer = append(w.buffer, r.Method...)
	w.buffer = append(w.buffer, '\n')
	w.writePath(c.path)
	w.buffer = append(w.buffer, '\n')
	w.writeQuery(c.presigned)
	w.buffer = append(w.buffer, '\n')
	if err := w.writeHeaders(r, len(body), c.signedHeaders); err != nil {
		return err
	}
	w.buffer = append(w.buffer, '\n')
	w.buffer = append(w.buffer, c.signedHeaders...)
	w.buffer = append(w.buffer, '\n')
	w.buffer = append(w.buffer, digest[:]...)
	return nil
}

// checkHash compares what a request says of its body's hash with the hash.
func checkHash(r *http.Request, digest []byte) *Error {
	values := r.Header["X-Amz-Content-Sha256"]
	if len(values) == 0 || len(values) == 1 && values[0] == string(digest) {
		return nil
	}
	if value := values[0]; value == "UNSIGNED-PAYLOAD" || strings.HasPrefix(value, "STREAMING-") {
		return incomplete("The body must be signed: X-Amz-Content-Sha256 must not be UNSIGNED-PAYLOAD or STREAMING-*.")
	}
	return refuse(SignatureDoesNotMatch, "X-Amz-Content-Sha256 is not the SHA-256 hash of the body.")
}

// writePath writes the raw path, escaped once more, as all services but S3 have it.
func (w *work) writePath(path string) {
	for i := range len(path) {
		if path[i] == '/' {
			w.buffer = append(w.buffer, '/')
		} else {
			w.buffer = appendEscaped(w.buffer, path[i])
		}
	}
}

// writeHeaders writes the signed headers and checks that they are all that must be.
func (w *work) writeHeaders(r *http.Request, length int, signed string) *Error {
	var host, contentType bool
	var previous string
	var count, amazon int
	for rest, more := signed, true; more; count++ {
		var name string
		name, rest, more = strings.Cut(rest, ";")
		if count == maxSignedHeaders || !isHeaderName(name) || name <= previous {
			return incomplete("SignedHeaders must be lower-case names in order, each once, and %d at most.", maxSignedHeaders)
		}
		previous = name
		if err := w.writeHeader(r, length, name); err != nil {
			return err
		}
		switch {
		case name == "host":
			host = true
		case name == "content-type":
			contentType = true
		case strings.HasPrefix(name, "x-amz-"):
			amazon++
		}
	}
	if !host {
		return incomplete("SignedHeaders must have host.")
	}
	if err := checkAmazonHeaders(r.Header, amazon); err != nil {
		return err
	}
	return checkContentType(r.Header, contentType)
}

// writeHeader writes a signed header, which must be there.
func (w *work) writeHeader(r *http.Request, length int, name string) *Error {
	w.buffer = append(w.buffer, name...)
	w.buffer = append(w.buffer, ':')
	values := r.Header[string(w.canonicalName(name))]
	switch {
	case name == "host":
		w.writeValue(r.Host)
	case name == "content-length" && len(values) == 0:
		// A proxy may have sent the body on in chunks. The length is known all the same.
		w.buffer = strconv.AppendInt(w.buffer, int64(length), 10)
	case len(values) == 0:
		return incomplete("The signed header %s is not in the request.", name)
	default:
		for i, value := range values {
			if i > 0 {
				w.buffer = append(w.buffer, ',')
			}
			w.writeValue(value)
		}
	}
	w.buffer = append(w.buffer, '\n')
	if len(w.buffer) > maxCanonical {
		return incomplete("The signed headers are too long.")
	}
	return nil
}

// writeValue writes a header's value without outer spaces, and one for several inside.
func (w *work) writeValue(value string) {
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if value[i] != ' ' || value[i-1] != ' ' {
			w.buffer = append(w.buffer, value[i])
		}
	}
}

// canonicalName returns a lower-case header name in the form of http.Header's keys. It is
// textproto.CanonicalMIMEHeaderKey without its allocation.
func (w *work) canonicalName(name string) []byte {
	upper := true
	for i := range len(name) {
		b := name[i]
		if upper && b >= 'a' && b <= 'z' {
			b -= 'a' - 'A'
		}
		w.name[i] = b
		upper = b == '-'
	}
	return w.name[:len(name)]
}

// isHeaderName tells whether a name is a header's, in lower case.
func isHeaderName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		b := name[i]
		if b >= 'A' && b <= 'Z' || !isAlphanumeric(b) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(b)) {
			return false
		}
	}
	return true
}

// checkAmazonHeaders tells whether as many X-Amz-* headers are there as are signed, each
// once. Signed ones are all there, so then all that are there are signed.
func checkAmazonHeaders(header http.Header, signed int) *Error {
	for name, values := range header {
		const prefix = "x-amz-"
		if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		if len(values) != 1 {
			return incomplete("The header %s must be there once.", strings.ToLower(name))
		}
		signed--
	}
	if signed != 0 {
		return incomplete("SignedHeaders must have every x-amz-* header of the request.")
	}
	return nil
}

// checkContentType tells whether the Content-Type is signed, or what is signed decides it:
// see the package's comment.
func checkContentType(header http.Header, signed bool) *Error {
	values := header["Content-Type"]
	if len(values) > 1 {
		return incomplete("The header content-type must be there once.")
	}
	if signed {
		return nil
	}
	var media string
	if len(values) == 1 {
		media, _, _ = strings.Cut(values[0], ";")
		media = strings.ToLower(strings.Trim(media, " \t"))
	}
	switch media {
	case "application/x-amz-json-1.0", "application/x-amz-json-1.1":
		signed = len(header["X-Amz-Target"]) > 0
	case "application/x-www-form-urlencoded", "":
		signed = len(header["X-Amz-Target"]) == 0
	}
	if !signed {
		return incomplete("SignedHeaders must have content-type.")
	}
	return nil
}

// writeStringToSign replaces the canonical request in w.buffer by the string to sign.
func (w *work) writeStringToSign(c *claim) {
	sum := sha256.Sum256(w.buffer)
	w.buffer = append(w.buffer[:0], algorithm...)
	w.buffer = append(w.buffer, '\n')
	w.buffer = append(w.buffer, c.stamp...)
	w.buffer = append(w.buffer, '\n')
	w.buffer = append(w.buffer, c.scope...)
	w.buffer = append(w.buffer, '\n')
	w.buffer = hex.AppendEncode(w.buffer, sum[:])
}
