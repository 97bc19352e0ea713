package sqs_test

import (
	"strings"
	"testing"
)

var (
	deletedRecently = refused{"too early", "CreateQueue", `{"QueueName":"jobs"}`, 400,
		"AWS.SimpleQueueService.QueueDeletedRecently;Sender", "com.amazonaws.sqs#QueueDeletedRecently",
		"You must wait 60 seconds after deleting a queue before you can create another with the same name."}
	purgedRecently = refused{"too early", "PurgeQueue", `{"QueueUrl":"jobs"}`, 403,
		"AWS.SimpleQueueService.PurgeQueueInProgress;Sender", "com.amazonaws.sqs#PurgeQueueInProgress",
		"Only one PurgeQueue operation on jobs is allowed every 60 seconds."}
)

func TestNameOfADeletedQueue(t *testing.T) {
	s := newSetup(t)
	s.serve(true)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("DeleteQueue", `{"QueueUrl":"jobs"}`)
	s.runRefused([]refused{deletedRecently})
	checkBody(t, s.must("ListQueues", `{}`), `{}`)
	s.travel(61)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
}

func TestPurgeTwice(t *testing.T) {
	s := newSetup(t)
	s.serve(true)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("PurgeQueue", `{"QueueUrl":"jobs"}`)
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"b"}`)
	s.unchanged("jobs", func() { s.runRefused([]refused{purgedRecently}) })
	s.travel(61)
	s.must("PurgeQueue", `{"QueueUrl":"jobs"}`)
	checkBody(t, s.receive("jobs", ``), `{}`)
}

func TestNoWaitsWhereNotStrict(t *testing.T) {
	s := newSetup(t)
	for range 2 {
		s.must("CreateQueue", `{"QueueName":"jobs"}`)
		for range 2 {
			s.must("PurgeQueue", `{"QueueUrl":"jobs"}`)
		}
		s.must("DeleteQueue", `{"QueueUrl":"jobs"}`)
	}
}

// With 120,000 messages in flight a short poll is refused and a long one finds nothing.
func TestTooManyInFlight(t *testing.T) {
	s := newSetup(t)
	s.serve(true)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.exec(`
INSERT INTO messages (queue_id, id, visible_at, sent_at, lease, receive_count, returned, body)
SELECT queues.id, gen_random_uuid(), tusq_now() + interval '1 hour', tusq_now(), 1, 1, true, 'b'
FROM queues, generate_series(1, 120000)`)
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"b"}`)
	s.runRefused([]refused{{"short poll", "ReceiveMessage", `{"QueueUrl":"jobs"}`, 403, "OverLimit;Sender",
		"com.amazonaws.sqs#OverLimit", "At most 120000 messages of a queue may be in flight."}})
	checkBody(t, s.receive("jobs", `,"WaitTimeSeconds":1`), `{}`)
	s.serve(false)
	if got := receipts(s.receive("jobs", ``)); len(got) != 1 {
		t.Errorf("received %d messages where the limit does not hold", len(got))
	}
}

func TestRetriedSendsAreSentOnce(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	send := func(action, body, invocation string) string {
		r := request(action, body)
		r.Header.Set("Amz-Sdk-Invocation-Id", invocation)
		w := s.do(r)
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
		return w.Body.String()
	}
	const one = `{"QueueUrl":"jobs","MessageBody":"one"}`
	const batch = `{"QueueUrl":"jobs","Entries":[{"Id":"a","MessageBody":"a"},{"Id":"bad","MessageBody":"b","DelaySeconds":-1},{"Id":"c","MessageBody":"c"}]}`
	first, firstBatch := send("SendMessage", one, "i1"), send("SendMessageBatch", batch, "i2")
	if again := send("SendMessage", one, "i1"); again != first {
		t.Errorf("the retry got %s, want %s", again, first)
	}
	if again := send("SendMessageBatch", batch, "i2"); again != firstBatch {
		t.Errorf("the retry got %s, want %s", again, firstBatch)
	}
	messages := func() string {
		return s.attributes("jobs", "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"]
	}
	if got := messages(); got != "3" {
		t.Errorf("%s messages were sent, want 3", got)
	}
	// Another body, another invocation, one that is no name, and none.
	send("SendMessage", strings.Replace(one, "one", "two", 1), "i1")
	send("SendMessage", one, "i3")
	for range 2 {
		send("SendMessage", one, strings.Repeat("i", 256))
		send("SendMessage", one, "")
	}
	if got := messages(); got != "9" {
		t.Errorf("%s messages were sent, want 9", got)
	}
	s.travel(301)
	send("SendMessage", one, "i1")
	if got := messages(); got != "10" {
		t.Errorf("%s messages were sent after five minutes, want 10", got)
	}
}
