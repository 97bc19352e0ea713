package sqs

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tusq/internal/telemetry"
	"tusq/service"
)

func TestEveryCodeHasItsError(t *testing.T) {
	t.Parallel()
	for _, code := range service.Codes {
		entry, found := codes[code]
		if !found {
			t.Errorf("%s has no entry", code)
			continue
		}
		if !strings.Contains(entry.kind.name, "#") || entry.kind.code == "" || entry.kind.status < 400 || entry.kind.status > 599 {
			t.Errorf("%s: incomplete entry %+v", code, entry)
		}
	}
	if len(codes) != len(service.Codes) {
		t.Errorf("%d entries for %d codes", len(codes), len(service.Codes))
	}
}

func TestServerFaultsAreNotedForTheLog(t *testing.T) {
	t.Parallel()
	record := new(telemetry.Request)
	cause := errors.New("the cause")
	asError(telemetry.WithRequest(context.Background(), record), cause)
	if !errors.Is(record.Err, cause) {
		t.Errorf("noted %v", record.Err)
	}
	record.Err = nil
	asError(telemetry.WithRequest(context.Background(), record), errNoQueue)
	if record.Err != nil {
		t.Errorf("noted a client's fault: %v", record.Err)
	}
}

// What is refused says in HTTP's own words when to come again, or how.
func TestErrorHeaders(t *testing.T) {
	t.Parallel()
	for code, want := range map[service.Code]http.Header{
		service.CodeUnavailable:      {"Retry-After": {"1"}},
		service.CodeStorageFull:      {"Retry-After": {"1"}},
		service.CodeRateLimited:      {"Retry-After": {"1"}},
		service.CodeMethodNotAllowed: {"Allow": {"GET, POST"}},
		service.CodeForbidden:        {},
	} {
		w := httptest.NewRecorder()
		setErrorHeaders(w, fromService(&service.Error{Code: code}))
		if !maps.EqualFunc(w.Header(), want, slices.Equal) {
			t.Errorf("%s: %v, want %v", code, w.Header(), want)
		}
	}
	if requestThrottled.status != http.StatusForbidden {
		t.Error("what is throttled has not Amazon's status")
	}
}

func TestShownEndsAtARune(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxShown-1) + "ß and more"
	if got, want := shown(long), strings.Repeat("a", maxShown-1)+"..."; got != want {
		t.Errorf("got a text that ends in %q", got[len(got)-8:])
	}
	if got := shown("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}
