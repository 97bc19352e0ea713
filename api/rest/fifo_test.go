package rest_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"tusq/openapi"
	"tusq/service"
)

func TestFIFOQueueSettings(t *testing.T) {
	s := setup(t)
	queue := s.call("POST", "/v1/queues", `{"name":"a.fifo"}`).want(http.StatusCreated)
	wantSettings(t, queue, true, false, "queue")
	path := "/v1/queues/a.fifo"
	wantSettings(t, s.call("PATCH", path, `{"content_deduplication":true}`).want(http.StatusOK), true, true, "queue")
	wantSettings(t, s.call("GET", path, "").want(http.StatusOK), true, true, "queue")
	wantSettings(t, s.call("PATCH", path, `{"wait_seconds":1}`).want(http.StatusOK), true, true, "queue")
	wantSettings(t, s.call("PATCH", path, `{"content_deduplication":false}`).want(http.StatusOK), true, false, "queue")

	const other = `{"name":"b.fifo","content_deduplication":true,"deduplication_scope":"group"}`
	wantSettings(t, s.call("POST", "/v1/queues", other).want(http.StatusCreated), true, true, "group")
	wantSettings(t, s.call("POST", "/v1/queues", other).want(http.StatusOK), true, true, "group")
	wantSettings(t, s.call("GET", "/v1/queues", "").want(http.StatusOK).list("queues")[1], true, true, "group")
	for field, value := range map[string]string{"deduplication_scope": `"queue"`, "content_deduplication": "false"} {
		problem := s.call("POST", "/v1/queues", `{"name":"b.fifo","`+field+`":`+value+`}`).wantProblem(http.StatusConflict, service.CodeQueueExists)
		wantEqual(t, problem["field"], field)
	}
}

func wantSettings(t *testing.T, queue value, fifo, content bool, scope string) {
	t.Helper()
	if queue["fifo"] != fifo || queue["content_deduplication"] != content || queue["deduplication_scope"] != scope {
		t.Errorf("got %v, want %v, %v and %s", queue, fifo, content, scope)
	}
}

// number returns a sequence number, which is a string of digits.
func number(t *testing.T, from value) int64 {
	t.Helper()
	n, err := strconv.ParseInt(from.text("sequence"), 10, 64)
	if err != nil || n <= 0 {
		t.Errorf("%v has no sequence number", from)
	}
	return n
}

func TestFIFOSendAndReceive(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders.fifo")
	first := s.call("POST", path+"/messages", `{"body":"1","group_id":"g","deduplication_id":"d1"}`).want(http.StatusCreated)
	second := s.send("POST", path+"/messages?group_id=g&deduplication_id=d2", "text/plain", "2").want(http.StatusCreated)
	results := s.call("POST", path+"/messages", `{"messages":[{"body":"3","group_id":"g","deduplication_id":"d3"},
		{"body":"again","group_id":"g","deduplication_id":"d1"},{"body":"no id","group_id":"g"}]}`).want(http.StatusOK).list("results")
	wantEqual(t, s.send("POST", path+"/messages?group_id=g&deduplication_id=d2", "text/plain", "again").want(http.StatusCreated), second)
	wantEqual(t, results[1], first)
	if problem, _ := results[2]["error"].(map[string]any); problem["field"] != "deduplication_id" || results[2]["sequence"] != nil {
		t.Errorf("without deduplication id: %v", results[2])
	}

	for _, messages := range [][]value{
		s.call("GET", path+"/messages", "").want(http.StatusOK).list("messages"),
		s.receive(path, `{"max":10}`),
	} {
		if len(messages) != 3 {
			t.Fatalf("got %d messages", len(messages))
		}
		last := int64(0)
		for i, sent := range []value{first, second, results[0]} {
			m := messages[i]
			digit := strconv.Itoa(i + 1)
			if m["body"] != digit || m["group_id"] != "g" || m["deduplication_id"] != "d"+digit || m["id"] != sent["id"] || number(t, m) != number(t, sent) {
				t.Errorf("message %s is %v, its answer was %v", digit, m, sent)
			}
			if number(t, m) <= last {
				t.Errorf("the sequence goes from %d to %d", last, number(t, m))
			}
			last = number(t, m)
		}
	}
	s.wantStats(path, 0, 3, 0)
}

func TestStandardMessagesHaveNoSequence(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	if sent := s.send("POST", path+"/messages?group_id=tenant", "text/plain", "a").want(http.StatusCreated); sent["sequence"] != nil {
		t.Errorf("sent as %v", sent)
	}
	message := s.receiveOne(path, "")
	if message["group_id"] != "tenant" || message["sequence"] != nil || message["deduplication_id"] != nil {
		t.Errorf("received %v", message)
	}
}

func TestReceiveAttemptIsRepeatable(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders.fifo")
	s.call("POST", path+"/messages", `{"messages":[{"body":"1","group_id":"g","deduplication_id":"1"},
		{"body":"2","group_id":"h","deduplication_id":"2"}]}`).want(http.StatusOK)
	const attempt = `{"attempt_id":"try-1","max":1}`
	first, again := s.receiveOne(path, attempt), s.receiveOne(path, attempt)
	if first["receipt"] != again["receipt"] || first["id"] != again["id"] {
		t.Errorf("got %v, and again %v", first, again)
	}
	if other := s.receiveOne(path, `{"attempt_id":"try-2","max":1}`); other["id"] == first["id"] {
		t.Errorf("another attempt got the same message")
	}
	s.wantStats(path, 0, 2, 0)
}

// In a standard queue an attempt's id is ignored, as the specification says.
func TestReceiveAttemptOfAStandardQueue(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	s.call("POST", path+"/messages", `{"messages":[{"body":"1"},{"body":"2"}]}`).want(http.StatusOK)
	const attempt = `{"attempt_id":"try-1","max":1}`
	if first, second := s.receiveOne(path, attempt), s.receiveOne(path, attempt); first["id"] == second["id"] {
		t.Errorf("got %v twice", first)
	}
	var specification struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	if err := json.Unmarshal(openapi.JSON, &specification); err != nil {
		t.Fatal(err)
	}
	text := specification.Components.Schemas["ReceiveMessages"].Properties["attempt_id"].Description
	if !strings.Contains(text, "in a standard queue it is ignored") {
		t.Errorf("the specification says: %s", text)
	}
}

// When a FIFO message's timeout has ended, its receipt is good for nothing.
func TestReceiptExpires(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders.fifo")
	s.call("POST", path+"/messages", `{"body":"1","group_id":"g","deduplication_id":"1"}`).want(http.StatusCreated)
	receipt := s.receiveOne(path, `{"visibility_timeout":0}`).text("receipt")
	s.call("DELETE", path+"/messages/"+receipt, "").wantProblem(http.StatusConflict, service.CodeReceiptExpired)
	s.call("PATCH", path+"/messages/"+receipt, `{"visibility_timeout":9}`).wantProblem(http.StatusConflict, service.CodeReceiptExpired)
	results := s.call("POST", path+"/messages/delete", `{"receipts":["`+receipt+`"]}`).want(http.StatusOK)
	wantCodes(t, results, service.CodeReceiptExpired)
	s.wantStats(path, 1, 0, 0)
}
