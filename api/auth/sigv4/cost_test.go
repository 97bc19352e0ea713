package sigv4

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The documentation's example of a derived key.
func TestDerive(t *testing.T) {
	t.Parallel()
	key := new(work).derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")
	if got := hex.EncodeToString(key[:]); got != "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9" {
		t.Errorf("got %s", got)
	}
}

// vanilla is a request of the published suite, or one with another signature.
func vanilla(keyID, region, signature string) *http.Request {
	return &http.Request{Method: "GET", RequestURI: "/", Host: "example.amazonaws.com", Header: http.Header{
		"X-Amz-Date": {"20150830T123600Z"},
		"Authorization": {fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20150830/%s/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=%s",
			keyID, region, signature)},
	}}
}

const rightSignature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

func newVanillaVerifier() *Verifier {
	return New(Options{Service: "service", Now: func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }})
}

func findVanilla(id string) []Secret {
	const right = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	switch id {
	case "AKIDEXAMPLE":
		return []Secret{right}
	case "ROTATED":
		return []Secret{"another", right}
	case "EMPTY":
		return []Secret{""}
	}
	return nil
}

func macsFor(t *testing.T, v *Verifier, r *http.Request) (int, *Error) {
	t.Helper()
	w := getWork()
	defer putWork(w)
	_, err := v.verify(w, r, nil, findVanilla)
	return w.macs, err
}

// Whether a key exists, how many secrets it has and what is kept cannot be told from the
// work that a wrong signature makes.
func TestEveryWrongSignatureCostsTheSame(t *testing.T) {
	t.Parallel()
	v, wrong := newVanillaVerifier(), strings.Repeat("0", 64)
	check := func(what string) {
		for _, id := range []string{"AKIDEXAMPLE", "ROTATED", "EMPTY", "UNKNOWN"} {
			for _, region := range []string{"us-east-1", "eu-central-1"} {
				if macs, err := macsFor(t, v, vanilla(id, region, wrong)); err == nil || macs != macsOfRefusal {
					t.Errorf("%s, %s in %s: %d HMACs, want %d; %v", what, id, region, macs, macsOfRefusal, err)
				}
			}
		}
	}
	check("nothing is kept")
	for _, c := range []struct {
		id   string
		macs int
	}{{"AKIDEXAMPLE", 5}, {"AKIDEXAMPLE", 1}, {"ROTATED", 5 + 1}, {"ROTATED", 2}} {
		if macs, err := macsFor(t, v, vanilla(c.id, "us-east-1", rightSignature)); err != nil || macs != c.macs {
			t.Errorf("%s: %d HMACs, want %d; %v", c.id, macs, c.macs, err)
		}
	}
	check("a signing key is kept")
}

// Only who knows a secret makes the server keep anything, and not more than so much.
func TestKeptSigningKeysAreBounded(t *testing.T) {
	t.Parallel()
	v := newVanillaVerifier()
	for i := range 3 {
		macsFor(t, v, vanilla("AKIDEXAMPLE", fmt.Sprintf("region-%d", i), rightSignature))
	}
	if len(v.keys.keys) != 0 {
		t.Errorf("%d signing keys are kept for wrong signatures", len(v.keys.keys))
	}
	for i := range maxSigningKeys + 1 {
		v.keys.put(keyScope{region: fmt.Sprint(i)}, newSigningKey([32]byte{}))
	}
	if n := len(v.keys.keys); n != 1 {
		t.Errorf("%d signing keys are kept past the limit, want the last one", n)
	}
}

// signedBy returns the request that vanilla would be with the right signature by a secret
// for a scope of a day.
func signedBy(t *testing.T, v *Verifier, keyID string, secret Secret, date string) *http.Request {
	t.Helper()
	scope := keyID + "/" + date + "/"
	r := vanilla(keyID, "us-east-1", strings.Repeat("0", 64))
	r.Header["Authorization"][0] = strings.Replace(r.Header["Authorization"][0], keyID+"/20150830/", scope, 1)
	var w work
	c, _ := v.readClaim(&w, r)
	if err := w.writeCanonical(r, nil, c); err != nil {
		t.Fatal(err)
	}
	w.writeStringToSign(c)
	newSigningKey(w.derive(secret, date, "us-east-1", v.service)).sign(w.buffer, &w.mac)
	r.Header["Authorization"][0] = strings.Replace(r.Header["Authorization"][0], strings.Repeat("0", 64), hex.EncodeToString(w.mac[:]), 1)
	return r
}

// No SDK makes these: a signature that is right, but for a scope of another day, or by
// the empty secret of a key that has none.
func TestRightSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	v, right := newVanillaVerifier(), findVanilla("AKIDEXAMPLE")[0]
	for _, c := range []struct {
		keyID  string
		secret Secret
		date   string
		want   Reason
	}{
		{"AKIDEXAMPLE", right, "20150830", ""},
		{"AKIDEXAMPLE", right, "20150829", SignatureDoesNotMatch},
		{"AKIDEXAMPLE", right, "2015083x", SignatureDoesNotMatch},
		{"EMPTY", "", "20150830", SignatureDoesNotMatch},
		{"UNKNOWN", "", "20150830", InvalidClientTokenID},
	} {
		var got Reason
		if _, err := macsFor(t, v, signedBy(t, v, c.keyID, c.secret, c.date)); err != nil {
			got = err.Reason
		}
		if got != c.want {
			t.Errorf("%s, %s: want reason %q, got %q", c.keyID, c.date, c.want, got)
		}
	}
}
