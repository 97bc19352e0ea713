package load

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"tusq/test/fault/history"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		err    error
		want   history.Outcome
	}{
		{200, nil, history.OK}, {201, nil, history.OK}, {204, nil, history.OK},
		{400, nil, history.Fail}, {404, nil, history.Fail}, {408, nil, history.Fail}, {409, nil, history.Fail}, {429, nil, history.Fail},
		{500, nil, history.Unknown}, {503, nil, history.Unknown}, {301, nil, history.Unknown}, {0, io.EOF, history.Unknown},
		{200, io.ErrUnexpectedEOF, history.Unknown}, // the rest of the answer was lost
	} {
		if got := classify(c.status, c.err); got != c.want {
			t.Errorf("%d, %v: got %s, want %s", c.status, c.err, got, c.want)
		}
	}
	for err, want := range map[error]string{context.DeadlineExceeded: errTimeout, os.ErrDeadlineExceeded: errTimeout,
		io.EOF: errConnection, errors.New("refused"): errConnection} {
		if got := transportError(err); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
	if !retryable(429, "") || !retryable(408, "") || !retryable(409, "key_in_use") || retryable(409, "queue_exists") || retryable(400, "") {
		t.Error("retryable")
	}
}

// texts are messages as the producers make them.
func texts(t *testing.T, n int) []outgoing {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	text := newText(random)
	messages := make([]outgoing, n)
	for i := range messages {
		uid := uidPrefix + string(rune('a'+i%26))
		m := outgoing{uid: uid, body: newBody(uid, text, random), attributes: newAttributes(text, random)}
		if got, ours := uidOf(m.body); !ours || got != uid || !utf8.ValidString(m.body) || len(m.body) < minText || len(m.body) > maxText+80 {
			t.Fatalf("body of %s: %q", uid, m.body)
		}
		m.digest = digest(m.body, m.attributes)
		messages[i] = m
	}
	return messages
}

// TestBothSurfacesSayTheSame of messages that they send and receive.
func TestBothSurfacesSayTheSame(t *testing.T) {
	t.Parallel()
	for _, m := range texts(t, 500) {
		var r struct {
			Messages []struct {
				Body       string
				Attributes map[string]struct{ Type, Value string }
			}
		}
		var s struct {
			MessageBody       string
			Entries           []sqsOutgoing
			MessageAttributes map[string]sqsAttribute
		}
		restBody, sqsBody := (rest{}).send("q", []outgoing{m, m}, "").body, (sqs{}).send("q", []outgoing{m, m}, "").body
		if err := errors.Join(json.Unmarshal(restBody, &r), json.Unmarshal(sqsBody, &s)); err != nil {
			t.Fatalf("%v\n%s\n%s", err, restBody, sqsBody)
		}
		if len(r.Messages) != 2 || len(s.Entries) != 2 || r.Messages[0].Body != m.body || s.Entries[1].MessageBody != m.body {
			t.Fatalf("%s\n%s", restBody, sqsBody)
		}
		var answer sqsMessage
		answer.Body, answer.MD5OfBody = m.body, bodyMD5(m.body)
		answer.Attributes = map[string]string{"ApproximateReceiveCount": "2", "SequenceNumber": "00000000000000000170"}
		answer.MessageAttributes, answer.MD5OfMessageAttributes = s.Entries[0].MessageAttributes, attributesMD5(m.attributes)
		bySQS, err := answer.received()
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"messages": []any{map[string]any{"body": m.body, "sequence": "170", "receive_count": 2,
			"attributes": r.Messages[0].Attributes}}})
		if err != nil {
			t.Fatal(err)
		}
		byREST, err := rest{}.received(body)
		if err != nil || !reflect.DeepEqual(byREST, []received{bySQS}) {
			t.Fatalf("REST %+v, %v\nSQS %+v", byREST, err, bySQS)
		}
		if bySQS.UID != m.uid || bySQS.Digest != m.digest || bySQS.Error != "" || bySQS.Sequence != "170" || bySQS.Receives != 2 {
			t.Fatalf("sent %+v, received %+v", m, bySQS)
		}
	}
}

type sqsAttribute = struct{ DataType, StringValue, BinaryValue string }

type sqsOutgoing struct {
	MessageBody       string
	MessageAttributes map[string]sqsAttribute
}

// TestDigest sees every change.
func TestDigest(t *testing.T) {
	t.Parallel()
	of := digest("body", []attribute{{"a", "String", "b"}})
	for _, other := range []string{
		digest("Body", []attribute{{"a", "String", "b"}}), digest("body", nil), digest("body", []attribute{{"aS", "tring", "b"}}),
		digest("body", []attribute{{"a", "String", "c"}}), digest("body", []attribute{{"a", "String.b", ""}}),
		digest("body", []attribute{{"a", "String", "b"}, {"c", "Number", "1"}}),
	} {
		if other == of {
			t.Error("two messages have the same digest")
		}
	}
	if receiptHash("a") == receiptHash("b") {
		t.Error("receiptHash")
	}
}

// TestAttributesMD5 has a value that Amazon's algorithm gives, worked out by another program:
// printf '\0\0\0\1a\0\0\0\6String\1\0\0\0\1b' | md5sum
func TestAttributesMD5(t *testing.T) {
	t.Parallel()
	if got := attributesMD5([]attribute{{"a", "String", "b"}}); got != "bef8bf215374a0a228d67533b1a488be" {
		t.Errorf("got %s", got)
	}
}

func TestSQSAnswersAreChecked(t *testing.T) {
	t.Parallel()
	m := outgoing{uid: "m-1", body: "hello"}
	two := []outgoing{m, m}
	for name, c := range map[string]struct {
		answer string
		want   []string // outcome and error of each
		wrong  bool     // as a whole
	}{
		"all": {`{"Successful":[{"Id":"1","MessageId":"b","MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592"},` +
			`{"Id":"0","MessageId":"a","MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592"}]}`, []string{"ok ", "ok "}, false},
		"checksum": {`{"Successful":[{"Id":"1","MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592","MD5OfMessageAttributes":"00"},` +
			`{"Id":"0","MD5OfMessageBody":"00"}]}`, []string{"ok md5", "ok md5"}, false},
		"failed": {`{"Failed":[{"Id":"0","SenderFault":true,"Code":"A"},{"Id":"1","SenderFault":false,"Code":"B"}]}`,
			[]string{"fail A", "unknown B"}, false},
		"not all": {`{"Failed":[{"Id":"1","SenderFault":true,"Code":"A"}]}`, []string{"unknown unanswered", "fail A"}, false},
		"twice": {`{"Failed":[{"Id":"1","SenderFault":true,"Code":"A"},{"Id":"0","SenderFault":true,"Code":"A"}],"Successful":[{"Id":"1"}]}`,
			[]string{"fail A", "fail answered twice"}, false},
		"others":  {`{"Failed":[{"Id":"2","SenderFault":true,"Code":"A"}]}`, nil, true},
		"no JSON": {`<html>`, nil, true},
	} {
		results, err := sqs{}.sent(request{}, []byte(c.answer), two)
		if (err != nil) != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
		for i, want := range c.want {
			if got := string(results[i].outcome) + " " + results[i].err; got != want {
				t.Errorf("%s: entry %d: got %q, want %q", name, i, got, want)
			}
		}
	}
	answer := sqsMessage{Body: "m-1 hello", MD5OfBody: bodyMD5("m-1 hell"), Attributes: map[string]string{"ApproximateReceiveCount": "1"}}
	if got, err := answer.received(); err != nil || got.Error != errMD5 || got.Outcome != history.OK {
		t.Errorf("received with a wrong checksum: %+v, %v", got, err)
	}
}

func TestRESTAnswersAreChecked(t *testing.T) {
	t.Parallel()
	two := make([]outgoing, 2)
	results, err := rest{}.sent(request{}, []byte(`{"results":[{"error":{"code":"unavailable"}},{"error":{"code":"invalid_message"}}]}`), two)
	if err != nil || results[0].outcome != history.Unknown || results[1].outcome != history.Fail || results[1].err != "invalid_message" {
		t.Errorf("got %+v, %v", results, err)
	}
	results, err = rest{}.sent(request{}, []byte(`{"results":[{"id":"a"},{}]}`), two)
	if err != nil || results[0].outcome != history.OK || results[1].outcome != history.Unknown {
		t.Errorf("got %+v, %v", results, err)
	}
	for _, answer := range []string{`{"results":[{"id":"a"}]}`, `{}`, `<html>`} {
		if _, err := (rest{}).sent(request{}, []byte(answer), two); err == nil {
			t.Errorf("%s was understood", answer)
		}
		if _, err := (rest{}).settled(request{}, []byte(answer), 2); err == nil {
			t.Errorf("%s was understood", answer)
		}
	}
	e := history.Event{Outcome: history.OK, Messages: make([]history.Message, 2)}
	conclude(&e, nil, io.EOF)
	if e.Outcome != history.Unknown || e.Error != errAnswer || e.Messages[1].Outcome != history.Unknown {
		t.Errorf("an answer that cannot be read: %+v", e)
	}
	if got, _ := (rest{}).received([]byte(`{"messages":[{"body":"who are you?"}]}`)); len(got) != 1 || got[0].Error != errBody ||
		!strings.HasPrefix(got[0].UID, "who") {
		t.Errorf("a foreign message: %+v", got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Options){
		"no recorder":  func(o *Options) { o.Recorder = nil },
		"no URL":       func(o *Options) { o.URLs = nil },
		"a URL's path": func(o *Options) { o.URLs = []string{"http://a/b"} },
		"batches":      func(o *Options) { o.Batch = 11 },
		"visibility":   func(o *Options) { o.MaxVisibility = 1 },
		"few groups":   func(o *Options) { o.Queues[2].Groups = o.Producers - 1 },
		"FIFO purge":   func(o *Options) { o.Queues[2].Purge = true },
		"redrive":      func(o *Options) { o.Queues[0].Redrive = true },
	} {
		o := Defaults()
		o.Recorder, o.URLs, o.Queues = new(history.Recorder), []string{"http://127.0.0.1:1"}, Mix()
		if err := o.check(); err != nil {
			t.Fatal(err)
		}
		spoil(&o)
		if o.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
