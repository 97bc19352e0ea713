package overload

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestCallsOverALimit refuses whole calls, and stores nothing of them.
func TestCallsOverALimit(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	long := strings.Repeat("x", mebibyte)
	for name, test := range map[string]struct {
		call   func() answer
		status int
		code   string
	}{
		"REST, 1,001 messages": {func() answer { return s.messages("", restBatch(bodies(1001, 1))) }, 400, "batch_too_many"},
		"REST, no message":     {func() answer { return s.messages("", restBatch(bodies(0, 1))) }, 400, "batch_empty"},
		"REST, 8 MiB and a byte": {
			func() answer { return s.messages("", restBatch(append(bodies(8, mebibyte), "x"))) }, 413, "batch_too_large"},
		"REST, a message of 1 MiB and a byte": {func() answer { return s.messages("", object{"body": long + "x"}) }, 413, "message_too_large"},
		"REST, a request of 16 MiB and a byte": {
			func() answer {
				return s.do("/v1/queues/"+queue+"/messages", "text/plain", "", strings.Repeat("x", 16*mebibyte+1))
			}, 413, "request_too_large"},
		"REST, 1,001 deletions": {
			func() answer { return s.messages("/delete", object{"receipts": bodies(1001, 1)}) }, 400, "batch_too_many"},
		"REST, a receive of 1,001": {func() answer { return s.messages("/receive", object{"max": 1001}) }, 400, "invalid_parameter"},
		"SQS, 11 messages": {
			func() answer { return s.sqs("SendMessageBatch", sqsBatch(bodies(11, 1))) }, 400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
		"SQS, 11 messages in a form": {func() answer { return s.sendForm(bodies(11, 1)) }, 400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
		"SQS, 1 MiB and a byte": {
			func() answer { return s.sqs("SendMessageBatch", sqsBatch(overSQS())) }, 400, "AWS.SimpleQueueService.BatchRequestTooLong"},
		"SQS, 1 MiB and a byte in a form": {func() answer { return s.sendForm(overSQS()) }, 400, "AWS.SimpleQueueService.BatchRequestTooLong"},
		"SQS, a message of 1 MiB and a byte": {
			func() answer { return s.sqs("SendMessage", object{"MessageBody": long + "x"}) }, 400, "InvalidParameterValue"},
		"SQS, a request of 8 MiB and more": {
			func() answer {
				return s.sqs("SendMessage", object{"MessageBody": strings.Repeat("x", 8*mebibyte)})
			}, 413, "RequestEntityTooLarge"},
		"SQS, a receive of 11": {
			func() answer { return s.sqs("ReceiveMessage", object{"MaxNumberOfMessages": 11}) }, 400, "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.stats().Total
			test.call().want(t, test.status, test.code)
			if stored := s.stats().Total - before; stored != 0 {
				t.Errorf("%d messages of the refused call were stored", stored)
			}
		})
	}
}

// TestCallsAtALimit stores everything of calls that are just as large as they may be.
func TestCallsAtALimit(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	for name, test := range map[string]struct {
		bodies []string
		send   func(bodies []string) answer
	}{
		"REST, 1,000 messages": {bodies(1000, 10), func(b []string) answer { return s.messages("", restBatch(b)) }},
		"REST, 8 MiB":          {bodies(8, mebibyte), func(b []string) answer { return s.messages("", restBatch(b)) }},
		"SQS, 1 MiB":           {bodiesOf1MiB(), func(b []string) answer { return s.sqs("SendMessageBatch", sqsBatch(b)) }},
		"SQS, 1 MiB in a form": {bodiesOf1MiB(), s.sendForm},
	} {
		t.Run(name, func(t *testing.T) {
			test.send(test.bodies).want(t, http.StatusOK, "")
			var got, receipts []string
			for _, m := range s.receiveAll() {
				got, receipts = append(got, m.Body), append(receipts, m.Receipt)
			}
			slices.Sort(got)
			if want := slices.Sorted(slices.Values(test.bodies)); !slices.Equal(got, want) {
				t.Errorf("received %d messages, want the %d that were sent", len(got), len(want))
			}
			s.messages("/delete", object{"receipts": receipts}).want(t, http.StatusOK, "")
			if stored := s.stats().Total; stored != 0 {
				t.Errorf("%d messages are left", stored)
			}
		})
	}
}

// bodies are n different texts of a length of at least 4, or else the same letter.
func bodies(n, length int) []string {
	all := make([]string, n)
	for i := range all {
		mark := fmt.Sprintf("%04d", i)
		all[i] = mark[:min(4, length)] + strings.Repeat("x", max(0, length-4))
	}
	return all
}

// bodiesOf1MiB are ten texts that are a mebibyte together.
func bodiesOf1MiB() []string {
	all := bodies(10, mebibyte/10)
	all[0] += strings.Repeat("y", mebibyte%10)
	return all
}

// overSQS is a byte more than a batch of SQS may have.
func overSQS() []string {
	all := bodiesOf1MiB()
	all[9] += "z"
	return all
}

func restBatch(bodies []string) object {
	messages := make([]object, len(bodies))
	for i, body := range bodies {
		messages[i] = object{"body": body}
	}
	return object{"messages": messages}
}

func sqsBatch(bodies []string) object {
	entries := make([]object, len(bodies))
	for i, body := range bodies {
		entries[i] = object{"Id": fmt.Sprint("entry", i), "MessageBody": body}
	}
	return object{"Entries": entries}
}

// sendForm sends a batch by SQS's older protocol.
func (s *server) sendForm(bodies []string) answer {
	form := url.Values{"Action": {"SendMessageBatch"}}
	for i, body := range bodies {
		entry := fmt.Sprintf("SendMessageBatchRequestEntry.%d.", i+1)
		form.Set(entry+"Id", fmt.Sprint("entry", i))
		form.Set(entry+"MessageBody", body)
	}
	return s.do("/000000000000/"+queue, "application/x-www-form-urlencoded", "", form.Encode())
}
