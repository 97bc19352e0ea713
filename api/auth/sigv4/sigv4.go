package sigv4

import (
	"crypto/hmac"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The window of time in which a signed request is accepted.
const (
	DefaultWindow = 5 * time.Minute
	MaxWindow     = 15 * time.Minute
)

// MaxSecrets is how many secrets an access key has at most: two while one is rotated.
const MaxSecrets = 2

// Secret is a secret access key. It does not show itself when it is printed.
type Secret string

const redacted = "[redacted]"

// String returns no secret, for fmt.
func (Secret) String() string { return redacted }

// GoString returns no secret, for %#v.
func (Secret) GoString() string { return redacted }

// MarshalText returns no secret, for JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns no secret, for slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Options say what is accepted. The zero Options are good for SQS.
type Options struct {
	Region  string // the only region accepted; empty: any
	Service string // empty: sqs
	// Window is how far a request's time may be from Now, both ways: DefaultWindow where it
	// is not positive, MaxWindow at most.
	Window time.Duration
	// NoPresigned refuses signatures in the query string. Without it they are accepted for
	// every method: they cover the same as those in the header.
	NoPresigned bool
	Now         func() time.Time // nil: time.Now
}

// Verifier verifies requests. It may be used by several goroutines at once.
type Verifier struct {
	region      string
	service     string
	window      time.Duration
	noPresigned bool
	now         func() time.Time
	keys        signingKeys
}

// New returns a Verifier.
func New(opts Options) *Verifier {
	v := &Verifier{
		region:      opts.Region,
		service:     opts.Service,
		window:      min(opts.Window, MaxWindow),
		noPresigned: opts.NoPresigned,
		now:         opts.Now,
	}
	if v.service == "" {
		v.service = "sqs"
	}
	if v.window <= 0 {
		v.window = DefaultWindow
	}
	if v.now == nil {
		v.now = time.Now
	}
	return v
}

// Verified is a request whose signature was compared and found right. Only Verify makes
// one; the zero Verified is of no key.
type Verified struct {
	keyID  string
	secret int
}

// KeyID returns the access key id that signed the request.
func (v Verified) KeyID() string { return v.keyID }

// Secret returns which of the key's secrets signed the request: its index.
func (v Verified) Secret() int { return v.secret }

// KeyID returns the access key id that r says it is signed by, or "" where it names none. It is
// not verified, and may be of a request that Verify refuses, for whatever reason.
func KeyID(r *http.Request) string {
	for _, authorization := range r.Header["Authorization"] {
		if _, credential, named := strings.Cut(authorization, "Credential="); named {
			return keyIDOf(credential)
		}
	}
	_, query, _ := strings.Cut(r.RequestURI, "?")
	parameters, _ := url.ParseQuery(query) // those that have a form
	return keyIDOf(parameters.Get(paramCredential))
}

func keyIDOf(credential string) string {
	id, _, _ := strings.Cut(credential, "/")
	return id
}

// Verify verifies the signature of r, a server's request with the given body. Nothing of r
// may have been changed, least of all RequestURI, Host and Header; its Body is not read.
//
// find returns the secrets of an access key id, MaxSecrets at most, or none for a key that
// does not exist; later and empty ones are ignored. It is called once, and only for a
// request whose form and time are right. How long it takes is seen by the client.
//
// The error is an *Error.
func (v *Verifier) Verify(r *http.Request, body []byte, find func(keyID string) []Secret) (Verified, error) {
	w := getWork()
	defer putWork(w)
	verified, err := v.verify(w, r, body, find)
	if err != nil {
		return Verified{}, err
	}
	return verified, nil
}

func (v *Verifier) verify(w *work, r *http.Request, body []byte, find func(string) []Secret) (Verified, *Error) {
	c, err := v.readClaim(w, r)
	if err != nil {
		return Verified{}, err
	}
	if err := v.checkTime(c); err != nil {
		return Verified{}, err
	}
	if err := w.writeCanonical(r, body, c); err != nil {
		return Verified{}, err
	}
	w.writeStringToSign(c)
	secrets := find(c.keyID)
	if matched := v.compare(w, c, secrets); matched >= 0 {
		return Verified{keyID: c.keyID, secret: matched}, nil
	}
	if len(secrets) == 0 {
		return Verified{}, refuse(InvalidClientTokenID, "The access key id is not known to this server.")
	}
	return Verified{}, refuse(SignatureDoesNotMatch, "The signature is not that of this request. Check the secret access key, "+
		"and that nothing between client and server changes the Host header, the path or the signed headers.")
}

// compare returns the index of the secret that signed the string to sign, or -1. All
// secrets are compared, and a request that none has signed costs macsOfRefusal.
func (v *Verifier) compare(w *work, c *claim, secrets []Secret) int {
	matched := -1
	var derived [MaxSecrets]*signingKey // not kept yet
	for i, secret := range secrets[:min(len(secrets), MaxSecrets)] {
		if secret == "" {
			continue
		}
		key := v.keys.get(c.keyScope(secret))
		if key == nil {
			key = newSigningKey(w.derive(secret, c.date, c.region, v.service))
			derived[i] = key
		}
		w.macs++
		key.sign(w.buffer, &w.mac)
		if hmac.Equal(w.mac[:], w.claimed[:]) && matched < 0 {
			matched = i
		}
	}
	if matched < 0 {
		v.waste(w)
		return matched
	}
	for i, key := range derived {
		if key != nil {
			v.keys.put(c.keyScope(secrets[i]), key)
		}
	}
	return matched
}

// macsOfRefusal is the number of HMACs that a wrong signature costs: for each secret
// that a key may have four to derive the signing key and one to sign.
const macsOfRefusal = MaxSecrets * (4 + 1)

// waste makes the HMACs that an unknown key, a missing second secret or a kept signing
// key have saved.
func (v *Verifier) waste(w *work) {
	for w.macs < macsOfRefusal {
		w.hmac(w.mac[:], w.buffer, &w.mac)
	}
}
