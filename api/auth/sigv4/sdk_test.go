package sigv4_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tusq/api/auth/sigv4"
)

// text is anything that a query string or body may hold.
func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,40}`), rapid.SampledFrom([]string{"a+b", "a b", "a%20b", "ሴ", "&=;/?", ""}))
}

// anyRequest draws a request as an SDK could make it, unsigned.
func anyRequest(t *rapid.T, method string) wire {
	var path strings.Builder
	for _, segment := range rapid.SliceOfN(text(), 0, 4).Draw(t, "path") {
		path.WriteString("/" + url.PathEscape(segment))
	}
	target := "/" + strings.TrimPrefix(path.String(), "/")
	query := url.Values{}
	for name, values := range rapid.MapOfN(text(), rapid.SliceOfN(text(), 1, 3), 0, 5).Draw(t, "query") {
		query[name] = values
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	body := ""
	if method == http.MethodPost {
		body = text().Draw(t, "body")
	}
	w := unsigned(method, target, body)
	values := rapid.StringMatching(`([!-~]([ -~]{0,30}[!-~])?)?`)
	for i, value := range rapid.SliceOfN(values, 0, 4).Draw(t, "headers") {
		w = w.with([]string{"X-Amz-Thing", "My-Header", "my-header", "X-other"}[i], value)
	}
	return w
}

func TestRequestsSignedByTheSDKAreVerified(t *testing.T) {
	t.Parallel()
	v := sigv4.New(sigv4.Options{Now: at(now)})
	rapid.Check(t, func(rt *rapid.T) {
		w := signed(anyRequest(rt, rapid.SampledFrom([]string{"GET", "POST"}).Draw(rt, "method")))
		r, body, err := w.parse()
		if err != nil {
			rt.Fatalf("the server reads %q: %v", w, err)
		}
		verified, err := v.Verify(r, body, find)
		if err != nil || verified.KeyID() != keyID || verified.Secret() != 0 {
			rt.Fatalf("%q\n: %+v, %v", w, verified, err)
		}
	})
}

func TestRequestsPresignedByTheSDKAreVerified(t *testing.T) {
	t.Parallel()
	v := sigv4.New(sigv4.Options{Now: at(now.Add(59 * time.Minute))})
	rapid.Check(t, func(rt *rapid.T) {
		w := anyRequest(rt, "GET")
		if strings.Contains(w.target, "?") {
			w.target += "&X-Amz-Expires=3600"
		} else {
			w.target += "?X-Amz-Expires=3600"
		}
		w = signature{}.presign(w)
		r, body, err := w.parse()
		if err != nil {
			rt.Fatalf("the server reads %q: %v", w, err)
		}
		if verified, err := v.Verify(r, body, find); err != nil || verified.KeyID() != keyID {
			rt.Fatalf("%q\n: %+v, %v", w, verified, err)
		}
	})
}
