package sqs

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"tusq/internal/telemetry"
	"tusq/service"
)

// BenchmarkHot measures what a hot action costs beside the service's own work: its request
// is read, translated and answered, with bodies of 256 bytes.
func BenchmarkHot(b *testing.B) {
	for _, hot := range hotActions {
		b.Run(hot.name, func(b *testing.B) {
			r := newReplay(hot.name, hot.body)
			b.ReportAllocs()
			for b.Loop() {
				hot.translate(b, r)
			}
		})
	}
}

const hotQueue = "http://127.0.0.1:9324/000000000000/bench-queue"

var (
	hotReceipt = strings.Repeat("Ab3_", 28)
	hotText    = strings.Repeat("abcdefgh", 32)
)

// hotActions are requests as SDKs write them, and what is done with them.
var hotActions = []struct {
	name, body string
	translate  func(t testing.TB, r *replay)
}{
	{"SendMessage", `{"MessageBody":"` + hotText + `","QueueUrl":"` + hotQueue + `"}`, translateSend},
	{"SendMessageBatch", hotBatch(`"MessageBody":"` + hotText + `"`), translateSendBatch},
	{"ReceiveMessage", `{"MaxNumberOfMessages":10,"QueueUrl":"` + hotQueue + `","WaitTimeSeconds":20}`, translateReceive},
	{"DeleteMessage", `{"QueueUrl":"` + hotQueue + `","ReceiptHandle":"` + hotReceipt + `"}`, translateSettle},
	{"DeleteMessageBatch", hotBatch(`"ReceiptHandle":"` + hotReceipt + `"`), translateDeleteBatch},
	{
		"ChangeMessageVisibility",
		`{"QueueUrl":"` + hotQueue + `","ReceiptHandle":"` + hotReceipt + `","VisibilityTimeout":30}`, translateSettle,
	},
	{"ChangeMessageVisibilityBatch", hotBatch(`"ReceiptHandle":"` + hotReceipt + `","VisibilityTimeout":30`), translateChangeBatch},
}

// hotBatch is a batch of ten entries with the same members.
func hotBatch(members string) string {
	var entries []string
	for id := range maxEntries {
		entries = append(entries, `{"Id":"`+string(rune('0'+id))+`",`+members+`}`)
	}
	return `{"Entries":[` + strings.Join(entries, ",") + `],"QueueUrl":"` + hotQueue + `"}`
}

// replay is a request that can be read again and again, and its answer, which is dropped.
type replay struct {
	request *http.Request
	body    strings.Reader
	text    string
	header  http.Header
}

func newReplay(action, body string) *replay {
	r := &replay{text: body, header: http.Header{}}
	r.request, _ = http.NewRequestWithContext(
		telemetry.WithRequest(context.Background(), &telemetry.Request{ID: "7d8f1f6e-7a0e-4d0b-9a53-2f1c0f2d9b11"}),
		http.MethodPost, "/", nil)
	r.request.Header.Set("Content-Type", jsonType)
	r.request.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.request.Header.Set("Amz-Sdk-Invocation-Id", "0f1d3f0e-6a51-4b6c-8d0e-3f6c1d0a9b11")
	r.request.RemoteAddr = "127.0.0.1:40000"
	return r
}

func (r *replay) Header() http.Header         { return r.header }
func (r *replay) WriteHeader(int)             {}
func (r *replay) Write(p []byte) (int, error) { return len(p), nil }
func (r *replay) Read(p []byte) (int, error)  { return r.body.Read(p) }
func (r *replay) Close() error                { return nil }

var hotHandler = New(nil, Options{Region: "us-east-1"})

// read begins a request anew.
func (r *replay) read(t testing.TB) (*call, any) {
	clear(r.header)
	r.body.Reset(r.text)
	r.request.Body, r.request.ContentLength = r, int64(len(r.text))
	asked, err := codecOf(r.request, nil).read(r.request)
	if err != nil {
		t.Fatal(err)
	}
	c := hotHandler.newCall(r.request)
	c.caller.Account = "000000000000"
	return c, asked.input
}

func (r *replay) answer(t testing.TB, output any) {
	if err := codecOf(r.request, nil).writeOutput(r, r.request, "", output); err != nil {
		t.Fatal(err)
	}
}

func (c *call) mustQueue(t testing.TB, r *replay, url string) {
	if name, err := c.queue(r.request.Context(), url); err != nil || name != "bench-queue" {
		t.Fatal(name, err)
	}
}

func translateSend(t testing.TB, r *replay) {
	c, input := r.read(t)
	in := input.(*sendMessageInput)
	c.mustQueue(t, r, in.QueueUrl)
	parsed, refused := c.parseMessage(in.outgoing, false)
	if refused != nil {
		t.Fatal(refused)
	}
	answer := sentAnswer(service.Sent{ID: "0198f1f6-7a0e-7d0b-9a53-2f1c0f2d9b11"}, in.outgoing, parsed)
	r.answer(t, &answer)
}

func translateSendBatch(t testing.TB, r *replay) {
	c, input := r.read(t)
	in := input.(*sendMessageBatchInput)
	c.mustQueue(t, r, in.QueueUrl)
	if err := c.checkSendBatch(context.Background(), "bench-queue", in.Entries); err != nil {
		t.Fatal(err)
	}
	out := &sendMessageBatchOutput{Successful: make([]sentEntry, 0, len(in.Entries))}
	for _, entry := range in.Entries {
		parsed, refused := c.parseMessage(entry.outgoing, false)
		if refused != nil {
			t.Fatal(refused)
		}
		answer := sentAnswer(service.Sent{ID: "0198f1f6-7a0e-7d0b-9a53-2f1c0f2d9b11"}, entry.outgoing, parsed)
		out.Successful = append(out.Successful, sentEntry{*entry.Id, answer})
	}
	r.answer(t, out)
}

func translateReceive(t testing.TB, r *replay) {
	c, input := r.read(t)
	in := input.(*receiveMessageInput)
	c.mustQueue(t, r, in.QueueUrl)
	receive, err := parseReceive(in)
	if err != nil {
		t.Fatal(err)
	}
	out := &receiveMessageOutput{Messages: make([]message, receive.Max)}
	for i := range out.Messages {
		out.Messages[i] = c.receivedMessage(service.Message{
			ID: "0198f1f6-7a0e-7d0b-9a53-2f1c0f2d9b11", Receipt: hotReceipt, Body: hotText, SentAt: time.UnixMilli(1),
		}, nil, nil)
	}
	r.answer(t, out)
}

func translateSettle(t testing.TB, r *replay) {
	c, input := r.read(t)
	switch in := input.(type) {
	case *deleteMessageInput:
		c.mustQueue(t, r, in.QueueUrl)
	case *changeMessageVisibilityInput:
		c.mustQueue(t, r, in.QueueUrl)
	}
	r.answer(t, nil)
}

func translateDeleteBatch(t testing.TB, r *replay) {
	c, input := r.read(t)
	in := input.(*deleteMessageBatchInput)
	c.mustQueue(t, r, in.QueueUrl)
	ids, err := checkEntries(deleteEntryType, in.Entries, func(e deleteMessageBatchEntry) *string { return e.Id })
	if err != nil {
		t.Fatal(err)
	}
	out := newSettleBatchOutput(len(ids))
	for _, id := range ids {
		out.add(context.Background(), id, nil)
	}
	r.answer(t, out)
}

func translateChangeBatch(t testing.TB, r *replay) {
	c, input := r.read(t)
	in := input.(*changeMessageVisibilityBatchInput)
	c.mustQueue(t, r, in.QueueUrl)
	ids, err := checkEntries(changeEntryType, in.Entries, func(e changeMessageVisibilityBatchEntry) *string { return e.Id })
	if err != nil {
		t.Fatal(err)
	}
	out := newSettleBatchOutput(len(ids))
	for _, id := range ids {
		out.add(context.Background(), id, nil)
	}
	r.answer(t, out)
}
