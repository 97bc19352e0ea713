package sigv4_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tusq/api/auth/sigv4"
)

// typeNotSigned is the sample whose Content-Type must fit, though it is not signed.
const typeNotSigned = "JSON of PHP"

// samples are signed requests as clients send them.
func samples() map[string]wire {
	form := unsigned("POST", "/000000000000/orders?Version=2012-11-05", "Action=SendMessage&MessageBody=a%20b+c").
		without("X-Amz-Target").set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return map[string]wire{
		"JSON":           signed(send()),
		"JSON with hash": signed(send().with("X-Amz-Content-Sha256", hashOf([]byte(send().body)))),
		typeNotSigned:    signedLess(send(), "Content-Type"),
		"form":           signed(form),
		"many headers": signed(form.with("My-Header", "a  b").with("My-Header", "c").with("X-Amz-Empty", "").
			with("Accept", "*/*").with("X-Amz-User-Agent", "x/1")),
		"GET":       signed(unsigned("GET", "/000000000000/orders?Action=ReceiveMessage&b=%2B&b=2&a", "")),
		"presigned": signature{}.presign(unsigned("GET", "/000000000000/orders?Action=DeleteMessage&ReceiptHandle=a%2Fb%3D&X-Amz-Expires=3600", "")),
	}
}

// mutate changes one byte of one part of a request: the method, the target, a header's
// name or value, or the body.
func mutate(rng *rand.Rand, w wire) wire {
	w.headers = append([]header(nil), w.headers...)
	parts := []*string{&w.method, &w.target}
	for i := range w.headers {
		parts = append(parts, &w.headers[i].name, &w.headers[i].value)
	}
	if w.body != "" {
		parts = append(parts, &w.body)
	}
	part := parts[rng.IntN(len(parts))]
	for old := *part; *part == old; {
		*part = mutateText(rng, old)
	}
	return w
}

// mutateText replaces, flips, inserts, removes or swaps bytes at one place.
func mutateText(rng *rand.Rand, s string) string {
	b := byte(rng.IntN(256))
	if rng.IntN(4) > 0 {
		b = byte(' ' + rng.IntN('~'-' '+1))
	}
	at := rng.IntN(len(s) + 1)
	if at == len(s) {
		return s + string([]byte{b})
	}
	before, it, after := s[:at], s[at], s[at+1:]
	switch rng.IntN(5) {
	case 0:
		return before + string([]byte{b}) + after
	case 1:
		return before + string([]byte{it ^ 1<<rng.IntN(8)}) + after
	case 2:
		return before + string([]byte{b, it}) + after
	case 3:
		return before + after
	}
	if after == "" {
		return before
	}
	return before + string([]byte{after[0], it}) + after[1:]
}

// credentials are those of the samples, for AWS's SDK.
var credentials = aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}

// isRightBySDK tells whether AWS's SDK, given what a request says of its own signing and
// the headers that it says are signed, makes the very signature that the request has. It
// is what is right by definition: it knows nothing of the code that is tested.
func isRightBySDK(signer *v4.Signer, r *http.Request, body []byte) bool {
	if !strings.HasPrefix(r.RequestURI, "/") {
		return false // of these the SDK signs the root
	}
	if len(r.Header["Authorization"]) > 0 {
		return isRightHeader(signer, r, body)
	}
	return isRightPresigned(signer, r, body)
}

func isRightHeader(signer *v4.Signer, r *http.Request, body []byte) bool {
	claim, ok := partsOf(r.Header["Authorization"])
	signedAt, err := time.Parse("20060102T150405Z", strings.Join(r.Header["X-Amz-Date"], ","))
	if !ok || err != nil {
		return false
	}
	again := onlySigned(r, claim["SignedHeaders"])
	scope := append(strings.Split(claim["Credential"], "/"), "", "", "")
	err = signer.SignHTTP(context.Background(), credentials, again, hashOf(body), "sqs", scope[2], signedAt)
	made, _ := partsOf(again.Header["Authorization"])
	return err == nil && reflect.DeepEqual(claim, made) && again.Header.Get("X-Amz-Date") == r.Header.Get("X-Amz-Date")
}

// partsOf takes an Authorization header apart.
func partsOf(values []string) (map[string]string, bool) {
	rest, found := strings.CutPrefix(strings.Join(values, "\n"), "AWS4-HMAC-SHA256 ")
	parts := map[string]string{}
	for _, part := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if _, doubled := parts[name]; doubled {
			return nil, false
		}
		parts[name] = value
	}
	return parts, found && len(parts) == 3
}

// onlySigned returns a request with the headers that are signed and no others.
func onlySigned(r *http.Request, names string) *http.Request {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{},
		URL: &url.URL{Opaque: "//host" + path, RawQuery: query}}
	for _, name := range strings.Split(names, ";") {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
		if length, _ := strconv.Atoi(r.Header.Get(name)); name == "content-length" && strconv.Itoa(length) == r.Header.Get(name) {
			again.ContentLength = int64(length) // the SDK signs the number, not its text
		}
	}
	return again
}

func isRightPresigned(signer *v4.Signer, r *http.Request, body []byte) bool {
	query, err := url.ParseQuery(r.URL.RawQuery)
	signedAt, errTime := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	if err != nil || errTime != nil {
		return false
	}
	again := onlySigned(r, query.Get("X-Amz-SignedHeaders"))
	rest, _ := url.ParseQuery(r.URL.RawQuery)
	for _, name := range []string{"Algorithm", "Credential", "Date", "SignedHeaders", "Signature"} {
		rest.Del("X-Amz-" + name)
	}
	again.URL.RawQuery = rest.Encode()
	scope := append(strings.Split(query.Get("X-Amz-Credential"), "/"), "", "", "")
	uri, _, err := signer.PresignHTTP(context.Background(), credentials, again, hashOf(body), "sqs", scope[2], signedAt)
	if err != nil {
		return false
	}
	_, raw, _ := strings.Cut(uri, "?")
	made, err := url.ParseQuery(raw)
	return err == nil && reflect.DeepEqual(query, made)
}

// mutations returns how many to try; TUSQ_SIGV4_MUTATIONS sets it.
func mutations(t *testing.T) int {
	count := 20_000
	if text := os.Getenv("TUSQ_SIGV4_MUTATIONS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return count
}

// A request with one byte changed is refused, unless the SDK itself says that it is signed
// as it is: a change of what no signature covers, of spaces, or of a header name's case.
func TestMutationsAreRefused(t *testing.T) {
	t.Parallel()
	v, signer := sigv4.New(sigv4.Options{Now: at(now)}), v4.NewSigner()
	rng := rand.New(rand.NewPCG(4, 256))
	all := samples()
	var names []string
	for name, w := range all {
		names = append(names, name)
		r, body, err := w.parse()
		if err != nil || !isRightBySDK(signer, r, body) {
			t.Fatalf("%s: the SDK does not know its own signature: %v", name, err)
		}
		if _, err := v.Verify(r, body, find); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	slices.Sort(names)
	var unread, same, sameRefused int
	reasons := map[sigv4.Reason]int{}
	start, count := time.Now(), mutations(t)
	for refused := 0; refused < count; {
		name := names[rng.IntN(len(names))]
		w := mutate(rng, all[name])
		r, body, err := w.parse()
		if err != nil {
			unread++
			continue
		}
		_, err = v.Verify(r, body, find)
		if isRightBySDK(signer, r, body) {
			same++
			if err != nil {
				sameRefused++
				if name != typeNotSigned {
					t.Errorf("%s is refused, though the SDK signs it the same: %v\n%q", name, err, w)
				}
			}
			continue
		}
		if err == nil {
			t.Fatalf("%s is accepted as\n%q", name, w)
		}
		refused++
		reasons[reasonOf(err)]++
	}
	t.Logf("%d mutations refused in %v: %v; besides %d not read by net/http, %d equal by definition, of which %d refused",
		count, time.Since(start).Round(time.Millisecond), reasons, unread, same, sameRefused)
	for _, reason := range []sigv4.Reason{sigv4.SignatureDoesNotMatch, sigv4.IncompleteSignature, sigv4.InvalidClientTokenID} {
		if reasons[reason] == 0 {
			t.Errorf("no mutation was refused for %s", reason)
		}
	}
}
