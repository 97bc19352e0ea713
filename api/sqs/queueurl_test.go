package sqs

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestSplitQueueURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url, account, name string
		ok                 bool
	}{
		{"http://localhost:9324/000000000000/jobs", "000000000000", "jobs", true},
		{"https://sqs.eu-west-1.amazonaws.com/000000000000/jobs", "000000000000", "jobs", true},
		{"/000000000000/jobs", "000000000000", "jobs", true},
		{"/000000000000/jobs/", "000000000000", "jobs", true},
		{"000000000000/jobs", "000000000000", "jobs", true},
		{"jobs", "", "jobs", true},
		{"https://localhost/jobs", "", "jobs", true},
		{"https://localhost/", "", "", false},
		{"https://localhost", "", "", false},
		{"/", "", "", false},
		{"http://localhost/a/b/c", "a", "b/c", false},
		{"//localhost/a/b", "localhost", "a/b", false},
	}
	for _, test := range tests {
		account, name, ok := splitQueueURL(test.url)
		if account != test.account || name != test.name || ok != test.ok {
			t.Errorf("%s: got %q, %q, %v", test.url, account, name, ok)
		}
	}
}

func TestQueueNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 80)
	for name, want := range map[string]bool{
		"azAZ09_-": true, long: true, long[:75] + ".fifo": true, "a.fifo": true,
		"": false, long + "x": false, long[:76] + ".fifo": false, ".fifo": false, "a.b": false, "a.fifo.fifo": false,
		"a b": false, "a/b": false, "a:b": false, "a@b": false, "a[b": false, "a`b": false, "a{b": false, "ä": false, "a\n": false,
	} {
		if got := isQueueName(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, publicURL, url, want string
	}{
		{"of the request", "", "http://localhost:9324/", "http://localhost:9324"},
		{"of a request by TLS", "", "https://queues.example/", "https://queues.example"},
		{"configured", "https://sqs.example/", "http://localhost:9324/", "https://sqs.example"},
	}
	for _, test := range tests {
		r := httptest.NewRequest("POST", test.url, nil)
		if got := New(nil, Options{PublicURL: test.publicURL}).baseURL(r); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestForwardedHosts(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, test := range []struct{ peer, host, proto, want string }{
		{"10.1.2.3:9999", "sqs.example", "https", "https://sqs.example"},
		{"[::ffff:10.1.2.3]:9999", "sqs.example:8443, inner", "https, http", "https://sqs.example:8443"},
		{"[::1]:9999", "", "https", "https://localhost:9324"},
		{"10.1.2.3:9999", "evil/path", "gopher", "http://localhost:9324"},
		{"192.0.2.1:9999", "evil.example", "https", "http://localhost:9324"},
		{"", "evil.example", "https", "http://localhost:9324"},
	} {
		r := httptest.NewRequest("POST", "http://localhost:9324/", nil)
		r.RemoteAddr = test.peer
		r.Header.Set("X-Forwarded-Host", test.host)
		r.Header.Set("X-Forwarded-Proto", test.proto)
		if got := New(nil, Options{TrustedProxies: proxies}).baseURL(r); got != test.want {
			t.Errorf("from %s for %s by %s: got %s, want %s", test.peer, test.host, test.proto, got, test.want)
		}
	}
}

func TestSplitARN(t *testing.T) {
	t.Parallel()
	account, name, ok := splitARN("arn:aws:sqs:us-east-1:000000000000:jobs")
	if account != "000000000000" || name != "jobs" || !ok {
		t.Errorf("got %q, %q, %v", account, name, ok)
	}
	for _, arn := range []string{"", "jobs", "arn:aws:sns:us-east-1:0:jobs", "arn:aws:sqs:us-east-1:0", "x:aws:sqs:us-east-1:0:jobs", "arn:aws:sqs:us-east-1:0:jobs:more"} {
		if _, _, ok := splitARN(arn); ok {
			t.Errorf("%q was taken for a queue's ARN", arn)
		}
	}
}
