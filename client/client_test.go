package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// answers is a transport that plays prepared answers, the last of them for ever, and
// keeps what it was asked.
type answers struct {
	play     []answer
	requests []asked
	keys     []string // the requests' Idempotency-Key headers
}

type answer struct {
	status int
	header http.Header
	body   string
	err    error         // instead of an answer
	broken bool          // the body ends with an error
	after  time.Duration // until the answer
}

type asked struct{ method, url, body, contentType string }

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := asked{method: r.Method, url: r.URL.String(), contentType: r.Header.Get("Content-Type")}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		asked.body = string(body)
	}
	now := a.play[min(len(a.requests), len(a.play)-1)]
	a.requests = append(a.requests, asked)
	a.keys = append(a.keys, strings.Join(r.Header.Values("Idempotency-Key"), ","))
	if now.after > 0 {
		select {
		case <-time.After(now.after):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if now.err != nil {
		return nil, now.err
	}
	body := io.Reader(strings.NewReader(now.body))
	if now.broken {
		body = io.MultiReader(body, brokenReader{})
	}
	header := now.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		Status: http.StatusText(now.status), StatusCode: now.status, Header: header,
		Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func setup(t *testing.T, transport http.RoundTripper, opts ...Option) *Client {
	t.Helper()
	c, err := New("http://tusq.test/base/", append([]Option{WithHTTPClient(&http.Client{Transport: transport})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefusesWhatIsNoServerURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "127.0.0.1:9324", "localhost", "ftp://host", "http://", "http://host?x=1", "http://host/#x", "http://host:x", "http://user:secret@/"} {
		if _, err := New(bad); err == nil {
			t.Errorf("New(%q) succeeded", bad)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%q) tells the password: %v", bad, err)
		}
	}
}

// TestRequests checks each method's request and how it reads the answer.
func TestRequests(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	message := `{"id":"m1","receipt":"r1","body":"b","attributes":{"a":{"type":"String","value":"v"}},"group_id":"g","deduplication_id":"x","sequence":"9007199254740993","dead_letter_source":"d","state":"in_flight","receive_count":2,"sent_at":"2026-03-01T12:00:00.123Z","first_received_at":"2026-03-01T12:00:00.123Z","visible_at":"2026-03-01T12:00:00.123Z"}`
	wantMessage := Message{
		ID: "m1", Receipt: "r1", Body: "b", Attributes: map[string]Attribute{"a": {"String", "v"}}, GroupID: "g",
		DeduplicationID: "x", Sequence: 9007199254740993, DeadLetterSource: "d", State: "in_flight", ReceiveCount: 2, SentAt: at, FirstReceivedAt: at, VisibleAt: at,
	}
	queue := `{"name":"q","visibility_timeout":1,"delay_seconds":2,"retention_seconds":3,"wait_seconds":4,"max_message_size":5,"durability":"local","dead_letter":{"queue":"d","max_receives":6},"tags":{"k":"v"},"created_at":"2026-03-01T12:00:00.123Z","updated_at":"2026-03-01T12:00:00.123Z"}`
	wantQueue := Queue{
		Name: "q", VisibilityTimeout: 1, DelaySeconds: 2, RetentionSeconds: 3, WaitSeconds: 4, MaxMessageSize: 5, Durability: "local",
		DeadLetter: &DeadLetter{"d", 6}, Tags: map[string]string{"k": "v"}, CreatedAt: at, UpdatedAt: at,
	}
	fifo := `{"name":"q.fifo","fifo":true,"content_deduplication":true,"deduplication_scope":"group"}`
	wantFIFO := Queue{Name: "q.fifo", FIFO: true, ContentDeduplication: true, DeduplicationScope: "group"}
	redrive := `{"id":"r1","source":"d","destination":"q","rate":5,"status":"failed","moved":1,"to_move":2,"failure":"f","started_at":"2026-03-01T12:00:00.123Z","ended_at":"2026-03-01T12:00:00.123Z"}`
	wantRedrive := Redrive{
		ID: "r1", Source: "d", Destination: "q", Rate: 5, Status: RedriveFailed, Moved: 1, ToMove: 2, Failure: "f", StartedAt: at, EndedAt: at,
	}
	stale := &Error{Code: "receipt_stale", Message: "m", Field: "f"}
	results := `{"results":[{},{"error":{"code":"receipt_stale","detail":"m","field":"f"}}]}`
	for name, test := range map[string]struct {
		status     int
		answer     string
		call       func(c *Client) (any, error)
		method     string
		path, body string
		want       any
	}{
		"create": {201, queue, func(c *Client) (any, error) {
			q, created, err := c.CreateQueue(t.Context(), CreateQueue{Name: "q", Settings: Settings{DelaySeconds: new(0), DeadLetter: &DeadLetter{"d", 6}, Tags: map[string]string{}}})
			return []any{q, created}, err
		}, "POST", "/v1/queues", `{"name":"q","delay_seconds":0,"dead_letter":{"queue":"d","max_receives":6},"tags":{}}`, []any{wantQueue, true}},
		"create of one that exists": {200, queue, func(c *Client) (any, error) {
			q, created, err := c.CreateQueue(t.Context(), CreateQueue{Name: "q"})
			return []any{q, created}, err
		}, "POST", "/v1/queues", `{"name":"q"}`, []any{wantQueue, false}},
		"create of a FIFO queue": {201, fifo, func(c *Client) (any, error) {
			q, created, err := c.CreateQueue(t.Context(), CreateQueue{Name: "q.fifo", DeduplicationScope: "group", Settings: Settings{ContentDeduplication: new(false)}})
			return []any{q, created}, err
		}, "POST", "/v1/queues", `{"name":"q.fifo","deduplication_scope":"group","content_deduplication":false}`, []any{wantFIFO, true}},
		"get": {200, queue, func(c *Client) (any, error) { return c.GetQueue(t.Context(), "a b/c") },
			"GET", "/v1/queues/a%20b%2Fc", "", wantQueue},
		"list": {200, `{"queues":[` + queue + `],"cursor":"c2"}`, func(c *Client) (any, error) {
			return c.ListQueues(t.Context(), ListQueues{Prefix: "p&", Limit: 7, Cursor: "c1"})
		}, "GET", "/v1/queues?cursor=c1&limit=7&prefix=p%26", "", QueuePage{[]Queue{wantQueue}, "c2"}},
		"list by dead-letter queue": {200, `{"queues":[]}`, func(c *Client) (any, error) {
			return c.ListQueues(t.Context(), ListQueues{DeadLetter: "d&"})
		}, "GET", "/v1/queues?dead_letter=d%26", "", QueuePage{Queues: []Queue{}}},
		"update of a FIFO queue": {200, fifo, func(c *Client) (any, error) {
			return c.UpdateQueue(t.Context(), "q.fifo", UpdateQueue{Settings: Settings{ContentDeduplication: new(true)}})
		}, "PATCH", "/v1/queues/q.fifo", `{"content_deduplication":true}`, wantFIFO},
		"update": {200, queue, func(c *Client) (any, error) {
			return c.UpdateQueue(t.Context(), "q", UpdateQueue{Settings: Settings{WaitSeconds: new(3), Durability: "async", DeadLetter: &DeadLetter{"d", 1}}})
		}, "PATCH", "/v1/queues/q", `{"wait_seconds":3,"durability":"async","dead_letter":{"queue":"d","max_receives":1}}`, wantQueue},
		"update that removes": {200, queue, func(c *Client) (any, error) {
			return c.UpdateQueue(t.Context(), "q", UpdateQueue{RemoveDeadLetter: true})
		}, "PATCH", "/v1/queues/q", `{"dead_letter":null}`, wantQueue},
		"update of nothing": {200, queue, func(c *Client) (any, error) {
			return c.UpdateQueue(t.Context(), "q", UpdateQueue{})
		}, "PATCH", "/v1/queues/q", `{}`, wantQueue},
		"delete queue": {204, "", func(c *Client) (any, error) { return nil, c.DeleteQueue(t.Context(), "q") },
			"DELETE", "/v1/queues/q", "", nil},
		"purge": {200, `{"purged":9}`, func(c *Client) (any, error) { return c.PurgeQueue(t.Context(), "q") },
			"POST", "/v1/queues/q/purge", "", int64(9)},
		"stats": {200, `{"visible":1,"in_flight":2,"delayed":3,"total":6}`, func(c *Client) (any, error) {
			return c.QueueStats(t.Context(), "q")
		}, "GET", "/v1/queues/q/stats", "", QueueStats{1, 2, 3, 6}},
		"send": {201, `{"id":"m1"}`, func(c *Client) (any, error) {
			return c.Send(t.Context(), "q", SendMessage{Body: "<&>", DelaySeconds: new(5), Attributes: map[string]Attribute{"a": {"Number", "1"}}, GroupID: "g"})
		}, "POST", "/v1/queues/q/messages", `{"body":"<&>","delay_seconds":5,"attributes":{"a":{"type":"Number","value":"1"}},"group_id":"g"}`, Sent{ID: "m1"}},
		"send to a FIFO queue": {201, `{"id":"m1","sequence":"9007199254740993"}`, func(c *Client) (any, error) {
			return c.Send(t.Context(), "q.fifo", SendMessage{Body: "b", GroupID: "g", DeduplicationID: "x"})
		}, "POST", "/v1/queues/q.fifo/messages", `{"body":"b","group_id":"g","deduplication_id":"x"}`, Sent{"m1", 9007199254740993}},
		"send many": {200, `{"results":[{"id":"m1","sequence":"7"},{"error":{"code":"receipt_stale","detail":"m","field":"f"}}]}`, func(c *Client) (any, error) {
			return c.SendMany(t.Context(), "q", []SendMessage{{Body: "1"}, {Body: "2"}})
		}, "POST", "/v1/queues/q/messages", `{"messages":[{"body":"1"},{"body":"2"}]}`, []SendResult{{Sent: Sent{"m1", 7}}, {Err: stale}}},
		"receive": {200, `{"messages":[` + message + `]}`, func(c *Client) (any, error) {
			return c.Receive(t.Context(), "q", Receive{Max: 3, WaitSeconds: new(0), VisibilityTimeout: new(9)})
		}, "POST", "/v1/queues/q/messages/receive", `{"max":3,"wait_seconds":0,"visibility_timeout":9}`, []Message{wantMessage}},
		"receive by default": {200, `{"messages":[]}`, func(c *Client) (any, error) {
			return c.Receive(t.Context(), "q", Receive{})
		}, "POST", "/v1/queues/q/messages/receive", `{}`, []Message{}},
		"receive again": {200, `{"messages":[]}`, func(c *Client) (any, error) {
			return c.Receive(t.Context(), "q.fifo", Receive{AttemptID: "a"})
		}, "POST", "/v1/queues/q.fifo/messages/receive", `{"attempt_id":"a"}`, []Message{}},
		"start redrive": {202, redrive, func(c *Client) (any, error) {
			return c.StartRedrive(t.Context(), "d", StartRedrive{Destination: "q", Rate: 5})
		}, "POST", "/v1/queues/d/redrive", `{"destination":"q","rate":5}`, wantRedrive},
		"start redrive to where it came from": {202, `{"id":"r1","status":"running"}`, func(c *Client) (any, error) {
			return c.StartRedrive(t.Context(), "d", StartRedrive{})
		}, "POST", "/v1/queues/d/redrive", `{}`, Redrive{ID: "r1", Status: RedriveRunning}},
		"get redrive": {200, redrive, func(c *Client) (any, error) { return c.GetRedrive(t.Context(), "r/1") },
			"GET", "/v1/redrives/r%2F1", "", wantRedrive},
		"cancel redrive": {202, redrive, func(c *Client) (any, error) { return c.CancelRedrive(t.Context(), "r1") },
			"DELETE", "/v1/redrives/r1", "", wantRedrive},
		"list redrives": {200, `{"redrives":[` + redrive + `]}`, func(c *Client) (any, error) {
			return c.ListRedrives(t.Context(), "d", 3)
		}, "GET", "/v1/queues/d/redrives?limit=3", "", []Redrive{wantRedrive}},
		"delete": {204, "", func(c *Client) (any, error) { return nil, c.Delete(t.Context(), "q", "r/1") },
			"DELETE", "/v1/queues/q/messages/r%2F1", "", nil},
		"delete many": {200, results, func(c *Client) (any, error) {
			return c.DeleteMany(t.Context(), "q", []string{"r1", "r2"})
		}, "POST", "/v1/queues/q/messages/delete", `{"receipts":["r1","r2"]}`, []error{nil, stale}},
		"extend": {204, "", func(c *Client) (any, error) {
			return nil, c.Extend(t.Context(), "q", Extend{"r1", 0})
		}, "PATCH", "/v1/queues/q/messages/r1", `{"visibility_timeout":0}`, nil},
		"extend many": {200, results, func(c *Client) (any, error) {
			return c.ExtendMany(t.Context(), "q", []Extend{{"r1", 0}, {"r2", 5}})
		}, "POST", "/v1/queues/q/messages/visibility", `{"messages":[{"receipt":"r1","visibility_timeout":0},{"receipt":"r2","visibility_timeout":5}]}`, []error{nil, stale}},
		"peek": {200, `{"messages":[` + message + `],"cursor":"c2"}`, func(c *Client) (any, error) {
			return c.Peek(t.Context(), "q", Peek{State: "visible", Limit: 2, Cursor: "c1"})
		}, "GET", "/v1/queues/q/messages?cursor=c1&limit=2&state=visible", "", MessagePage{[]Message{wantMessage}, "c2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &answers{play: []answer{{status: test.status, body: test.answer}}}
			got, err := test.call(setup(t, server))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			want := asked{method: test.method, url: "http://tusq.test/base" + test.path, body: test.body}
			if test.body != "" {
				want.body += "\n"
				want.contentType = "application/json"
			}
			if asked := server.requests[0]; asked != want {
				t.Errorf("asked %+v, want %+v", asked, want)
			}
		})
	}
}

func TestQueuesGoesThroughAllPages(t *testing.T) {
	t.Parallel()
	play := []answer{
		{status: 200, body: `{"queues":[{"name":"a"},{"name":"b"}],"cursor":"2"}`},
		{status: 200, body: `{"queues":[{"name":"c"}],"cursor":"3"}`},
		{status: 200, body: `{"queues":[]}`},
	}
	server := &answers{play: play}
	var names []string
	for queue, err := range setup(t, server).Queues(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, queue.Name)
	}
	if strings.Join(names, "") != "abc" || len(server.requests) != 3 || !strings.Contains(server.requests[1].url, "cursor=2") {
		t.Errorf("got %v by %+v", names, server.requests)
	}

	server = &answers{play: play}
	for range setup(t, server).Queues(t.Context(), "") {
		break
	}
	if len(server.requests) != 1 {
		t.Errorf("%d requests after the loop was left", len(server.requests))
	}

	server = &answers{play: []answer{play[0], {status: 500}}}
	var last error
	for _, err := range setup(t, server).Queues(t.Context(), "") {
		last = err
	}
	if last == nil {
		t.Error("the second page's error is not told")
	}
}

func TestTextThatIsNotUTF8IsNeverSent(t *testing.T) {
	t.Parallel()
	server := &answers{play: []answer{{status: 200, body: `{"results":[{"id":"m1"},{"id":"m3"}]}`}}}
	c := setup(t, server)
	for field, message := range map[string]SendMessage{
		"body":             {Body: "a\xff"},
		"group_id":         {GroupID: "\xc0\x80"},
		"deduplication_id": {DeduplicationID: "\xff"},
		"attributes":       {Attributes: map[string]Attribute{"a": {"String", "\xed\xa0\x80"}}},
	} {
		_, err := c.Send(t.Context(), "q", message)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != "invalid_message" || refusal.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if results, err := c.SendMany(t.Context(), "q", []SendMessage{message}); err != nil || results[0].Err == nil {
			t.Errorf("%s: %v, %v", field, results, err)
		}
	}
	if len(server.requests) != 0 {
		t.Fatalf("sent %+v", server.requests)
	}
	results, err := c.SendMany(t.Context(), "q", []SendMessage{{Body: "1"}, {Body: "\xff"}, {Body: "\ufffd"}})
	if err != nil || results[0].ID != "m1" || results[1].Err == nil || results[2].ID != "m3" {
		t.Errorf("got %+v, %v", results, err)
	}
	if got := server.requests[0].body; got != `{"messages":[{"body":"1"},{"body":"`+"\ufffd"+`"}]}`+"\n" {
		t.Errorf("sent %s", got)
	}
}

func TestBodiesSurviveTheirEncoding(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"<script>&amp;", "\u2028\u2029", "\r\n\t", `"\u0041\"`, "\U0010ffff\ufffd\ue000", "\x7f"} {
		server := &answers{play: []answer{{status: 201, body: `{"id":"1"}`}}}
		if _, err := setup(t, server).Send(t.Context(), "q", SendMessage{Body: body}); err != nil {
			t.Fatal(err)
		}
		var sent SendMessage
		if err := json.Unmarshal([]byte(server.requests[0].body), &sent); err != nil || sent.Body != body {
			t.Errorf("%q became %q (%v)", body, sent.Body, err)
		}
	}
}

func TestNamesThatWouldChangeTheRouteAreRefused(t *testing.T) {
	t.Parallel()
	server := &answers{play: []answer{{status: 200, body: "{}"}}}
	c := setup(t, server)
	for _, name := range []string{"", ".", ".."} {
		if err := c.DeleteQueue(t.Context(), name); ErrorCode(err) != "invalid_queue_name" {
			t.Errorf("queue %q: %v", name, err)
		}
		if _, err := c.GetQueue(t.Context(), name); ErrorCode(err) != "invalid_queue_name" {
			t.Errorf("queue %q: %v", name, err)
		}
		if _, err := c.GetRedrive(t.Context(), name); ErrorCode(err) != "redrive_not_found" {
			t.Errorf("redrive %q: %v", name, err)
		}
		if err := c.Delete(t.Context(), "q", name); ErrorCode(err) != "receipt_invalid" {
			t.Errorf("receipt %q: %v", name, err)
		}
	}
	if len(server.requests) != 0 {
		t.Errorf("sent %+v", server.requests)
	}
}

// A password in a URL that cannot be parsed is not shown.
func TestBadURLsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://a:%zzs3cret@x", "http://a:s3cret/@x:y", "ftp://a:s3cret@x", "http://a:s3cret@x/?a=b"} {
		if _, err := New(url); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
