package sigv4_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tusq/api/auth/sigv4"
)

// published is a test case that AWS has published: requests and their signatures, of
// the AWS Signature Version 4 test suite, Copyright Amazon.com, Inc. or its affiliates,
// Apache-2.0, as it is in awslabs/aws-c-auth (tests/aws-signing-test-suite/v4) and in
// aws/aws-sdk-js-v3 (packages/signature-v4/src/suite.fixture.ts). All are signed at now
// by keyID and secret for us-east-1 and the service named "service". A target without
// a signature in it has X-Amz-Date and is signed in its Authorization header. Left out
// are X-Amz-Date headers beside presigned requests and headers that no signature covers.
type published struct {
	name, method, target string
	headers              []header
	body                 string
	signedHeaders        string
	signature            string
}

const (
	unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	presigned  = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request" +
		"&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature="
	plainForm = "application/x-www-form-urlencoded"
)

var suite = []published{
	{"get-vanilla", "GET", "/", nil, "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-header-key-duplicate", "GET", "/", []header{{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}}, "",
		"host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-multiline", "GET", "/", []header{{"My-Header1", "value1,value2,value3"}}, "",
		"host;my-header1;x-amz-date", "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790"},
	{"get-header-value-order", "GET", "/", []header{{"My-Header1", "value4"}, {"My-Header1", "value1"}, {"My-Header1", "value3"}, {"My-Header1", "value2"}}, "",
		"host;my-header1;x-amz-date", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim", "GET", "/", []header{{"My-Header1", " value1"}, {"My-Header2", ` "a   b   c"`}}, "",
		"host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-unreserved", "GET", "/" + unreserved, nil, "", "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8", "GET", "/ሴ", nil, "", "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-space-unnormalized", "GET", "/example space/", nil, "", "host;x-amz-date", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"get-slash-unnormalized", "GET", "//", nil, "", "host;x-amz-date", "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"},
	{"get-slashes-unnormalized", "GET", "//example//", nil, "", "host;x-amz-date", "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
	{"get-slash-dot-slash-unnormalized", "GET", "/./", nil, "", "host;x-amz-date", "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
	{"get-slash-pointless-dot-unnormalized", "GET", "/./example", nil, "", "host;x-amz-date", "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"},
	{"get-relative-unnormalized", "GET", "/example/..", nil, "", "host;x-amz-date", "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
	{"get-relative-relative-unnormalized", "GET", "/example1/example2/../..", nil, "", "host;x-amz-date", "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"},
	{"get-vanilla-empty-query-key", "GET", "/?Param1=value1", nil, "", "host;x-amz-date", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", nil, "", "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", nil, "", "host;x-amz-date", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"get-vanilla-query-unreserved", "GET", "/?" + unreserved + "=" + unreserved, nil, "", "host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-utf8-query", "GET", "/?ሴ=bar", nil, "", "host;x-amz-date", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"post-vanilla", "POST", "/", nil, "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-header-key-sort", "POST", "/", []header{{"My-Header1", "value1"}}, "",
		"host;my-header1;x-amz-date", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-header-value-case", "POST", "/", []header{{"My-Header1", "VALUE1"}}, "",
		"host;my-header1;x-amz-date", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{"post-vanilla-query", "POST", "/?Param1=value1", nil, "", "host;x-amz-date", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-vanilla-query-nonunreserved", "POST", "/?%40%23%24%25%5E=&%2B=%2F%2C%3F%3E%3C%60%22%3B%3A%5C%7C%5D%5B%7B%7D", nil, "",
		"host;x-amz-date", "66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e"},
	{"post-vanilla-query-space", "POST", "/?p=", nil, "", "host;x-amz-date", "e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b"},
	{"post-x-www-form-urlencoded", "POST", "/", []header{{"Content-Type", plainForm}}, "Param1=value1",
		"content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	{"post-x-www-form-urlencoded-parameters", "POST", "/", []header{{"Content-Type", plainForm + "; charset=utf8"}}, "Param1=value1",
		"content-type;host;x-amz-date", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},

	{"get-vanilla-query, presigned", "GET", "/?" + presigned, nil, "", "", "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"},
	{"get-vanilla-utf8-query, presigned", "GET", "/?ሴ=bar&" + presigned, nil, "", "", "0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600"},
	{"get-vanilla-query-unreserved, presigned", "GET", "/?" + unreserved + "=" + unreserved + "&" + presigned, nil, "", "", "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf"},
	{"get-space, presigned", "GET", "/example space/?" + presigned, nil, "", "", "7a1f416954786484c9824d93c1f26ef64acb9b1b6c9154d08c9f07d0e394abf6"},
	{"get-header-key-duplicate, presigned", "GET", "/?" + strings.Replace(presigned, "=host", "=host%3Bmy-header1", 1),
		[]header{{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}}, "", "",
		"3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97"},
}

// request returns the case as the server would have it: some cannot be on the wire.
func (p published) request() *http.Request {
	r := &http.Request{Method: p.method, RequestURI: p.target, Host: "example.amazonaws.com", Header: http.Header{}}
	for _, h := range p.headers {
		r.Header.Add(h.name, h.value)
	}
	if p.signedHeaders == "" {
		r.RequestURI += p.signature
		return r
	}
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="+
		p.signedHeaders+", Signature="+p.signature)
	return r
}

func TestThePublishedSuite(t *testing.T) {
	t.Parallel()
	v := sigv4.New(sigv4.Options{Service: "service", Now: at(now)})
	for _, p := range suite {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if verified, err := v.Verify(p.request(), []byte(p.body), find); err != nil || verified.KeyID() != keyID {
				t.Errorf("%+v, %v", verified, err)
			}
			if _, err := v.Verify(p.request(), []byte(p.body+"x"), find); reasonOf(err) != sigv4.SignatureDoesNotMatch {
				t.Errorf("another body: %v", err)
			}
		})
	}
}

// What the suite has and this server refuses, as the package's comment says.
func TestWhatOfTheSuiteIsRefused(t *testing.T) {
	t.Parallel()
	token := published{"get-vanilla-with-session-token", "GET", "/", []header{{"X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}},
		"", "host;x-amz-date;x-amz-security-token", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"}
	cases := map[sigv4.Reason]published{
		sigv4.SignatureDoesNotMatch: {"get-slashes-normalized", "GET", "//example//", nil, "", "host;x-amz-date", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		sigv4.IncompleteSignature: {"post-unsigned-payload", "POST", "/", []header{{"Content-Length", "13"}, {"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"}}, "Param1=value1",
			"content-length;host;x-amz-content-sha256;x-amz-date", "9fb60e8938d2178a7d63b49e055d1e65d8f6226f38846e8e0293bf43ce29050c"},
		sigv4.InvalidClientTokenID: token,
	}
	v := sigv4.New(sigv4.Options{Service: "service", Now: at(now)})
	for want, p := range cases {
		if _, err := v.Verify(p.request(), []byte(p.body), find); reasonOf(err) != want {
			t.Errorf("%s: want reason %q, got %v", p.name, want, err)
		}
	}
}

// The worked example of AWS's documentation ("Create a signed AWS API request").
func TestTheDocumentationsExample(t *testing.T) {
	t.Parallel()
	r := &http.Request{Method: "GET", RequestURI: "/?Action=ListUsers&Version=2010-05-08", Host: "iam.amazonaws.com", Header: http.Header{
		"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"},
		"X-Amz-Date":   {"20150830T123600Z"},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, " +
			"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	}}
	v := sigv4.New(sigv4.Options{Service: "iam", Now: at(now.Add(time.Minute))})
	if _, err := v.Verify(r, nil, find); err != nil {
		t.Error(err)
	}
}
