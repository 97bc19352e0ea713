package sqs

import (
	"net/http/httptest"
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
	plain := httptest.NewRequest("POST", "http://localhost:9324/", nil)
	plain.Header.Set("X-Forwarded-Host", "evil.example")
	if got := New(nil, Options{}).baseURL(plain); got != "http://localhost:9324" {
		t.Errorf("a forwarded host was believed: %s", got)
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
