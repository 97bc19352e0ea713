package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// problemAnswer is an error as tusq gives it.
func problemAnswer(status int, code string) answer {
	return answer{status: status, body: `{"code":"` + code + `","detail":"words","field":"f"}`, header: http.Header{"X-Request-Id": {"r1"}}}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	good := answer{status: 200, body: `{"messages":[]}`}
	broken := answer{status: 200, body: `{"messages":[`, broken: true}
	refused := answer{err: errors.New("connection refused")}
	waitThree := answer{status: 503, header: http.Header{"Retry-After": {"3"}}}
	for name, test := range map[string]struct {
		play     []answer
		tries    int
		fails    bool
		min, max time.Duration // of the whole call
	}{
		"an answer":                     {[]answer{good}, 1, false, 0, 0},
		"429 502 503 504":               {[]answer{{status: 429}, {status: 502}, {status: 503}, {status: 504}, good}, 5, false, 300 * time.Millisecond, time.Second},
		"no connection":                 {[]answer{refused, refused, good}, 3, false, 50 * time.Millisecond, 200 * time.Millisecond},
		"an answer that broke off":      {[]answer{broken, good}, 2, false, 25 * time.Millisecond, 60 * time.Millisecond},
		"an error that broke off":       {[]answer{{status: 503, body: "{", broken: true}, good}, 2, false, 25 * time.Millisecond, 60 * time.Millisecond},
		"Retry-After":                   {[]answer{waitThree, good}, 2, false, 3 * time.Second, 3100 * time.Millisecond},
		"a fault":                       {[]answer{problemAnswer(500, "internal"), good}, 1, true, 0, 0},
		"a refusal":                     {[]answer{problemAnswer(409, "receipt_stale"), good}, 1, true, 0, 0},
		"no JSON":                       {[]answer{{status: 200, body: "<html>"}, good}, 1, true, 0, 0},
		"JSON of another kind":          {[]answer{{status: 200, body: `{"messages":[{"sent_at":"yesterday"}]}`}, good}, 1, true, 0, 0},
		"a certificate that is not due": {[]answer{{err: &tls.CertificateVerificationError{Err: io.EOF}}, good}, 1, true, 0, 0},
		"a server that stays away":      {[]answer{refused}, 0, true, 8 * time.Second, 10 * time.Second},
		"a server that never answers":   {[]answer{{after: time.Hour}}, 1, true, 49 * time.Second, 51 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &answers{play: test.play}
				notices := 0
				c := setup(t, server, WithRetry(10*time.Second), WithRetryNotice(func(call string, err error) {
					if notices++; call != "Receive" || err == nil {
						t.Errorf("notice of %s: %v", call, err)
					}
				}))
				if test.tries == 1 && test.play[0].after > 0 {
					c.retry = 0
				}
				began := time.Now()
				_, err := c.Receive(t.Context(), "q", Receive{})
				if took := time.Since(began); took < test.min || took > test.max {
					t.Errorf("took %v, want %v to %v", took, test.min, test.max)
				}
				if (err != nil) != test.fails {
					t.Errorf("error %v", err)
				}
				if tries := len(server.requests); test.tries > 0 && tries != test.tries || notices != tries-1 {
					t.Errorf("%d tries and %d notices, want %d tries", tries, notices, test.tries)
				}
			})
		})
	}
}

func TestRepeatsSendTheSameBody(t *testing.T) {
	t.Parallel()
	server := &answers{play: []answer{{status: 502}, {status: 201, body: `{"id":"1"}`}}}
	if _, err := setup(t, server).Send(t.Context(), "q", SendMessage{Body: "b"}); err != nil {
		t.Fatal(err)
	}
	if len(server.requests) != 2 || server.requests[0] != server.requests[1] {
		t.Errorf("asked %+v", server.requests)
	}
}

// The tries of a send have one key, and no two sends have the same.
func TestRepeatedSendsHaveOneKey(t *testing.T) {
	t.Parallel()
	inUse := problemAnswer(409, "key_in_use")
	server := &answers{play: []answer{
		{status: 502}, inUse, {status: 201, body: `{"id":"1"}`}, {err: io.EOF}, {status: 200, body: `{"results":[{"id":"1"}]}`},
	}}
	c := setup(t, server)
	if sent, err := c.Send(t.Context(), "q", SendMessage{Body: "b"}); err != nil || sent.ID != "1" {
		t.Fatal(sent, err)
	}
	if _, err := c.SendMany(t.Context(), "q", []SendMessage{{Body: "b"}}); err != nil {
		t.Fatal(err)
	}
	if k := server.keys; len(k) != 5 || k[0] == "" || k[0] != k[1] || k[0] != k[2] || k[3] == "" || k[3] == k[0] || k[3] != k[4] {
		t.Errorf("the keys were %q", k)
	}
}

// A key of the caller's goes with every try; without repeats there is none but that.
func TestKeysOfSends(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		retry time.Duration
		opts  []SendOption
		want  string
	}{
		{0, nil, ""},
		{0, []SendOption{WithIdempotencyKey("mine")}, "mine"},
		{time.Second, []SendOption{WithIdempotencyKey("mine")}, "mine"},
	} {
		server := &answers{play: []answer{{status: 201, body: `{"id":"1","results":[{"id":"1"}]}`}}}
		c := setup(t, server, WithRetry(test.retry))
		if _, err := c.Send(t.Context(), "q", SendMessage{Body: "b"}, test.opts...); err != nil {
			t.Fatal(err)
		}
		if _, err := c.SendMany(t.Context(), "q", []SendMessage{{Body: "b"}}, test.opts...); err != nil {
			t.Fatal(err)
		}
		if _, err := c.GetQueue(t.Context(), "q"); err != nil {
			t.Fatal(err)
		}
		if want := []string{test.want, test.want, ""}; !slices.Equal(server.keys, want) {
			t.Errorf("the keys were %q, want %q", server.keys, want)
		}
	}
}

func TestNoRepeatsWithoutRetry(t *testing.T) {
	t.Parallel()
	server := &answers{play: []answer{{status: 503}}}
	if _, err := setup(t, server, WithRetry(0)).GetQueue(t.Context(), "q"); err == nil || len(server.requests) != 1 {
		t.Errorf("%d tries, error %v", len(server.requests), err)
	}
}

func TestAContextEndsThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		server := &answers{play: []answer{{status: 503, header: http.Header{"Retry-After": {"5"}}}}}
		began := time.Now()
		_, err := setup(t, server).GetQueue(ctx, "q")
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("ended with %v after %v", err, took)
		}
	})
}

func TestAnEndedContextIsNoFailureToRepeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		server := &answers{play: []answer{{after: time.Hour}}}
		c := setup(t, server, WithRetryNotice(func(string, error) { t.Error("a repeat was announced") }))
		if _, err := c.GetQueue(ctx, "q"); !errors.Is(err, context.DeadlineExceeded) || len(server.requests) != 1 {
			t.Errorf("ended with %v after %d tries", err, len(server.requests))
		}
	})
}

func TestADeletedQueueIsDeletedOnce(t *testing.T) {
	t.Parallel()
	gone := problemAnswer(404, "queue_not_found")
	c := setup(t, &answers{play: []answer{{err: io.EOF}, gone}})
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Errorf("the repeat of a lost answer: %v", err)
	}
	c = setup(t, &answers{play: []answer{gone}})
	if err := c.DeleteQueue(t.Context(), "q"); ErrorCode(err) != "queue_not_found" {
		t.Errorf("the first try: %v", err)
	}
}

func TestErrorsTellAll(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer answer
		want   Error
		text   string
	}{
		"of tusq": {problemAnswer(400, "invalid_parameter"),
			Error{400, "invalid_parameter", "words", "f", "r1", 0}, "words (invalid_parameter, field f, request r1)"},
		"with an id in its body only": {answer{status: 500, body: `{"code":"internal","detail":"d","request_id":"r2"}`},
			Error{500, "internal", "d", "", "r2", 0}, "d (internal, request r2)"},
		"of a proxy": {answer{status: 413, body: "<html>", header: http.Header{"Retry-After": {"7"}}},
			Error{413, "", "The server answered Request Entity Too Large.", "", "", 7 * time.Second}, "The server answered Request Entity Too Large."},
		"a redirection": {answer{status: 301, header: http.Header{"Location": {"https://elsewhere/"}}},
			Error{301, "", "The server answered Moved Permanently.", "", "", 0}, "The server answered Moved Permanently."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &answers{play: []answer{test.answer}}
			_, err := setup(t, server).Send(t.Context(), "q", SendMessage{Body: "b"})
			var got *Error
			if !errors.As(err, &got) || *got != test.want || got.Error() != test.text {
				t.Errorf("got %#v (%v), want %#v", got, got, test.want)
			}
			if len(server.requests) != 1 {
				t.Errorf("%d requests", len(server.requests))
			}
		})
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"": 0, "2": 2 * time.Second, "-2": 0, "soon": 0,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat): time.Minute,
		} {
			if got := retryAfter(value); got != want {
				t.Errorf("%q: %v, want %v", value, got, want)
			}
		}
	})
}

func TestTemporary(t *testing.T) {
	t.Parallel()
	for _, e := range []Error{{Status: 429}, {Status: 502}, {Status: 503}, {Status: 504}, {Code: "unavailable"}, {Code: "overloaded"}, {Status: 409, Code: "key_in_use"}} {
		if !e.Temporary() {
			t.Errorf("%+v is not temporary", e)
		}
	}
	for _, e := range []Error{{Status: 400}, {Status: 500}, {Status: 409, Code: "overloaded"}, {Code: "key_in_use"}, {Code: "invalid_message"}, {}} {
		if e.Temporary() {
			t.Errorf("%+v is temporary", e)
		}
	}
}

func TestAnswersThatDoNotFitAreErrors(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"results":[]}`, `{"results":[{"id":"1"},{"id":"2"}]}`} {
		c := setup(t, &answers{play: []answer{{status: 200, body: body}}})
		if _, err := c.SendMany(t.Context(), "q", []SendMessage{{Body: "b"}}); err == nil {
			t.Errorf("%s passed for one message's", body)
		}
	}
	c := setup(t, &answers{play: []answer{{status: 200, body: `{"results":[{}]}`}}})
	if results, err := c.SendMany(t.Context(), "q", []SendMessage{{Body: "b"}}); err != nil || results[0].Err == nil {
		t.Errorf("a message without an id is stored: %v, %v", results, err)
	}
	c = setup(t, &answers{play: []answer{{status: 200, body: `{}`}}})
	if _, err := c.Send(t.Context(), "q", SendMessage{Body: "b"}); err == nil {
		t.Error("a message without an id is stored")
	}
}

func TestErrorsTellNoReceipt(t *testing.T) {
	t.Parallel()
	c := setup(t, &answers{play: []answer{{err: io.EOF}}}, WithRetry(0))
	if err := c.Delete(t.Context(), "q", "secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestConnectionsAreReused makes calls in a row, whatever their answers, over one connection.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var peers []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers = append(peers, r.RemoteAddr+" "+r.Header.Get("Authorization"))
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"queue_not_found"}`+strings.Repeat(" ", 1000))
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, WithToken("t"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.GetQueue(t.Context(), "q"); ErrorCode(err) != "queue_not_found" {
			t.Fatal(err)
		}
		if err := c.Delete(t.Context(), "q", "r"); err != nil {
			t.Fatal(err)
		}
	}
	if unique := slices.Compact(slices.Clone(peers)); len(peers) != 6 || len(unique) != 1 || !strings.HasSuffix(unique[0], " Bearer t") {
		t.Errorf("calls came from %q", peers)
	}
}
