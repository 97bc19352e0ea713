package main

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"tusq/internal/pgtest"
	"tusq/internal/testcert"
	"tusq/service"
	"tusq/test/testservice"
)

// With sslmode=verify-full the database must have a certificate of the CA for its name.
// The server takes no other connections, and the service works on it.
func TestDatabaseOverTLS(t *testing.T) {
	t.Parallel()
	ca, another := testcert.New(t, "CA"), testcert.New(t, "another CA")
	dir := t.TempDir()
	trust := "sslmode=verify-full&sslrootcert=" + testcert.Write(t, dir, "ca.crt", ca.PEM)
	url := pgtest.TLSServer(t, ca, "", trust)
	out, _ := run(t.Context(), "", nil, "doctor", "--database-url", url) // with problems: tests do without fsync
	if !strings.Contains(out.stdout, "the connection is encrypted") {
		t.Errorf("doctor printed\n%s", out.stdout)
	}
	svc := testservice.On(t, url, service.Options{})
	if _, _, err := svc.CreateQueue(t.Context(), testservice.Caller, service.CreateQueue{Name: "orders"}); err != nil {
		t.Fatal(err)
	}
	sent, err := svc.SendMessages(t.Context(), testservice.Caller, "orders", service.SendMessages{Messages: []service.SendMessage{{Body: "hello"}}})
	if err != nil || sent[0].Err != nil {
		t.Fatal(err, sent)
	}
	got, err := svc.ReceiveMessages(t.Context(), testservice.Caller, "orders", service.ReceiveMessages{Max: 1})
	if err != nil || len(got) != 1 || got[0].Body != "hello" {
		t.Errorf("received %v, %v", got, err)
	}

	wrongCA := strings.Replace(url, "ca.crt", "another.crt", 1)
	testcert.Write(t, dir, "another.crt", another.PEM)
	wrongName := pgtest.TLSServer(t, ca, "db.example", trust)
	plain := strings.Replace(url, "sslmode=verify-full", "sslmode=disable", 1)
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	for what, test := range map[string]struct {
		url string
		is  func(error) bool
	}{
		"another CA":   {wrongCA, func(err error) bool { return errors.As(err, &authority) }},
		"another name": {wrongName, func(err error) bool { return errors.As(err, &name) }},
		"no TLS":       {plain, func(err error) bool { return strings.Contains(err.Error(), "pg_hba.conf") }},
	} {
		for _, command := range []string{"doctor", "fsck"} {
			if out, err := run(t.Context(), "", nil, command, "--database-url", test.url); err == nil || !test.is(err) {
				t.Errorf("%s, %s: %v\n%s", command, what, err, out.stdout)
			}
		}
	}
}
