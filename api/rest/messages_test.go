package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"tusq/service"
)

// bodies are texts that translation likes to change.
var bodies = map[string]string{
	"quotes":            `"'\" &<>` + "`",
	"white space":       " \t\r\n \r\t\n ",
	"emoji":             "😀 ünï\u00a0çødé \u2028 \ufffd",
	"a JSON object":     `{"body":"a","messages":[]}`,
	"an escape as text": `\u0041 \n`,
	"1 MiB":             strings.Repeat("0123456789abcde\n", service.MaxMessageBytes/16),
	"1 MiB of quotes":   strings.Repeat(`"`, service.MaxMessageBytes),
}

func TestBodiesStayTheSameBytes(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	for name, body := range bodies {
		asJSON := s.sendMessage(path, body)
		asText := s.send("POST", path+"/messages", "text/plain; charset=UTF-8", body).want(http.StatusCreated).text("id")
		for range 2 {
			message := s.receiveOne(path, "")
			if id := message.text("id"); id != asJSON && id != asText {
				t.Fatalf("%s: got the id %s of no sent message", name, id)
			}
			if message.text("body") != body {
				t.Errorf("%s: received %.40q, sent %.40q", name, message.text("body"), body)
			}
		}
	}
}

func TestSendOneAndReceive(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	id := s.call("POST", path+"/messages", `{"body":"hello","delay_seconds":0,"group_id":"customer-7","attributes":{
		"color":{"type":"String.name","value":"red"},"n":{"type":"Number","value":"1.50"},"raw":{"type":"Binary","value":"AAH/"}}}`).
		want(http.StatusCreated).text("id")
	message := s.receiveOne(path, `{"max":10,"wait_seconds":0,"visibility_timeout":60}`)
	for _, name := range []string{"sent_at", "first_received_at", "visible_at"} {
		at, err := time.Parse(time.RFC3339Nano, message.text(name))
		if err != nil || !strings.HasSuffix(message.text(name), "Z") || time.Since(at).Abs() > time.Hour {
			t.Errorf("%s: %v, %v", name, message[name], err)
		}
		delete(message, name)
	}
	if message.text("receipt") == "" {
		t.Error("no receipt")
	}
	delete(message, "receipt")
	wantEqual(t, message, value{
		"id": id, "body": "hello", "group_id": "customer-7", "state": "in_flight", "receive_count": 1,
		"attributes": value{
			"color": value{"type": "String.name", "value": "red"},
			"n":     value{"type": "Number", "value": "1.50"},
			"raw":   value{"type": "Binary", "value": "AAH/"},
		},
	})
	wantEqual(t, s.call("POST", path+"/messages/receive", "").want(http.StatusOK), value{"messages": []any{}})
}

func TestSendMany(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	results := s.call("POST", path+"/messages", `{"messages":[
		{"body":"a"}, {"body":""}, {"body":"b","delay_seconds":901}, {"body":"c\u0000"}, {"body":"d","delay_seconds":900},
		{"body":"e","attributes":{"x":{"type":"Float","value":"1"}}}, {"body":"f"},
		{"body":"g","attributes":{"x":{"type":"Binary.png","value":"%"}}}, {"body":"h","attributes":{"x":{"type":"Binary","value":"AA=="}}}]}`).want(http.StatusOK).list("results")
	want := []struct {
		code  service.Code
		field string
	}{
		{}, {service.CodeMissingParameter, "body"}, {service.CodeInvalidParameter, "delay_seconds"},
		{service.CodeInvalidMessage, "body"}, {}, {service.CodeInvalidAttribute, "attributes"}, {},
		{service.CodeInvalidAttribute, "attributes.x.value"}, {},
	}
	if len(results) != len(want) {
		t.Fatalf("got %d results", len(results))
	}
	for i, result := range results {
		problem, failed := result["error"].(map[string]any)
		switch {
		case want[i].code == "" && (failed || result.text("id") == ""):
			t.Errorf("item %d was not sent: %v", i, result)
		case want[i].code != "" && (problem["code"] != string(want[i].code) || problem["field"] != want[i].field || result["id"] != nil):
			t.Errorf("item %d: got %v, want %v", i, result, want[i])
		}
	}
	s.wantStats(path, 3, 0, 1)
}

func TestSendTextWithDelay(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	s.send("POST", path+"/messages?delay_seconds=900", "text/plain", "later").want(http.StatusCreated)
	s.send("POST", path+"/messages", "text/plain", "now").want(http.StatusCreated)
	s.wantStats(path, 1, 0, 1)
}

// A body may say that it is not compressed, in capitals as well, and may not be compressed.
func TestContentEncoding(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	send := func(encoding string) *answer {
		request, err := http.NewRequestWithContext(t.Context(), "POST", s.url+path+"/messages", strings.NewReader(`{"body":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", typeJSON)
		request.Header.Set("Content-Encoding", encoding)
		return s.do(request)
	}
	for _, encoding := range []string{"", "identity", "Identity"} {
		send(encoding).want(http.StatusCreated)
	}
	for _, encoding := range []string{"gzip", "identity, gzip"} {
		send(encoding).wantProblem(http.StatusUnsupportedMediaType, service.CodeUnsupportedMediaType)
	}
	s.wantStats(path, 3, 0, 0)
}

func TestSettle(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	for _, body := range []string{"a", "b", "c"} {
		s.sendMessage(path, body)
	}
	messages := s.receive(path, `{"max":3}`)
	if len(messages) != 3 {
		t.Fatalf("received %d messages", len(messages))
	}
	first, second, third := path+"/messages/"+messages[0].text("receipt"), messages[1].text("receipt"), messages[2].text("receipt")

	s.call("PATCH", first, `{"visibility_timeout":100}`).want(http.StatusNoContent)
	s.call("DELETE", first, "").want(http.StatusNoContent)
	s.call("DELETE", first, "").want(http.StatusNoContent)
	s.call("PATCH", first, `{"visibility_timeout":100}`).wantProblem(http.StatusNotFound, service.CodeMessageNotFound)

	body, _ := json.Marshal(value{"messages": []value{
		{"receipt": second, "visibility_timeout": 0},
		{"receipt": "forged", "visibility_timeout": 1},
		{"receipt": third, "visibility_timeout": 43201},
	}})
	results := s.call("POST", path+"/messages/visibility", string(body)).want(http.StatusOK)
	wantCodes(t, results, "", service.CodeReceiptInvalid, service.CodeInvalidParameter)
	s.wantStats(path, 1, 1, 0)

	again := s.receiveOne(path, "")
	wantEqual(t, again["receive_count"], 2)
	s.call("DELETE", path+"/messages/"+second, "").wantProblem(http.StatusConflict, service.CodeReceiptStale)
	s.call("PATCH", path+"/messages/"+second, `{"visibility_timeout":1}`).wantProblem(http.StatusConflict, service.CodeReceiptStale)

	body, _ = json.Marshal(value{"receipts": []string{second, third, "forged", third}})
	results = s.call("POST", path+"/messages/delete", string(body)).want(http.StatusOK)
	wantCodes(t, results, service.CodeReceiptStale, "", service.CodeReceiptInvalid, "")
	s.wantStats(path, 0, 1, 0)
	s.call("DELETE", path+"/messages/"+again.text("receipt"), "").want(http.StatusNoContent)
	s.wantStats(path, 0, 0, 0)
}

// wantCodes compares the results' codes; "" stands for an empty result.
func wantCodes(t *testing.T, answer value, codes ...service.Code) {
	t.Helper()
	results := answer.list("results")
	if len(results) != len(codes) {
		t.Fatalf("got %d results, want %d", len(results), len(codes))
	}
	for i, result := range results {
		problem, _ := result["error"].(map[string]any)
		if code, _ := problem["code"].(string); code != string(codes[i]) {
			t.Errorf("result %d: got %v, want %q", i, result, codes[i])
		}
	}
}

// A receipt is good on the queue that gave it, while that queue lives, and nowhere else.
func TestForeignReceipts(t *testing.T) {
	s := setup(t)
	path, other := s.createQueue("orders"), s.createQueue("others")
	s.sendMessage(path, "a")
	receipt := s.receiveOne(path, "").text("receipt")
	forged := receipt[:len(receipt)-2] + strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, receipt[len(receipt)-2:])
	for _, at := range []string{other + "/messages/" + receipt, path + "/messages/" + forged} {
		s.call("DELETE", at, "").wantProblem(http.StatusBadRequest, service.CodeReceiptInvalid)
		s.call("PATCH", at, `{"visibility_timeout":0}`).wantProblem(http.StatusBadRequest, service.CodeReceiptInvalid)
	}
	s.wantStats(path, 0, 1, 0)
	s.call("DELETE", path, "").want(http.StatusNoContent)
	s.createQueue("orders")
	s.call("DELETE", path+"/messages/"+receipt, "").wantProblem(http.StatusBadRequest, service.CodeReceiptInvalid)
}

func TestPeekMessages(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	var sent []string
	for _, body := range []string{"a", "b", "c", "d", "e"} {
		sent = append(sent, s.sendMessage(path, body))
	}
	s.call("POST", path+"/messages", `{"body":"later","delay_seconds":900}`).want(http.StatusCreated)
	taken := s.receiveOne(path, "")

	var seen []string
	cursor, pages := "", 0
	for ; pages == 0 || cursor != ""; pages++ {
		page := s.call("GET", path+"/messages?state=visible&limit=2&cursor="+cursor, "").want(http.StatusOK)
		for _, message := range page.list("messages") {
			wantEqual(t, message["state"], "visible")
			wantEqual(t, message["receive_count"], 0)
			if message["receipt"] != nil || message["first_received_at"] != nil {
				t.Errorf("a peeked message has more than it should: %v", message)
			}
			seen = append(seen, message.text("id"))
		}
		cursor = page.text("cursor")
	}
	if taken.text("id") != sent[0] {
		t.Fatalf("received %v first, not the oldest", taken["body"])
	}
	wantEqual(t, seen, sent[1:])
	if pages < 2 {
		t.Errorf("%d pages of 2", pages)
	}
	flying := s.call("GET", path+"/messages?state=in_flight", "").want(http.StatusOK).list("messages")
	if len(flying) != 1 || flying[0].text("id") != taken.text("id") || flying[0]["first_received_at"] != taken["first_received_at"] {
		t.Errorf("in flight: %v", flying)
	}
	if all := s.call("GET", path+"/messages", "").want(http.StatusOK).list("messages"); len(all) != 6 {
		t.Errorf("%d of 6 messages in all", len(all))
	}
	s.wantStats(path, 4, 1, 1)
}

// A message moved by its dead-letter policy names where it came from.
func TestDeadLetterSource(t *testing.T) {
	s := setup(t)
	dead := s.createQueue("dead")
	s.call("POST", "/v1/queues", `{"name":"orders","visibility_timeout":0,"dead_letter":{"queue":"dead","max_receives":1}}`).want(http.StatusCreated)
	s.sendMessage("/v1/queues/orders", "poison")
	s.receiveOne("/v1/queues/orders", "")
	if messages := s.receive("/v1/queues/orders", ""); len(messages) != 0 {
		t.Fatalf("received %v", messages)
	}
	wantEqual(t, s.receiveOne(dead, `{"wait_seconds":10}`)["dead_letter_source"], "orders")
}

// While the service drains, waiting receives end with nothing and without an error.
func TestReceiveEndsWhenTheServiceDrains(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	time.AfterFunc(50*time.Millisecond, s.svc.Drain)
	started := time.Now()
	answer := s.call("POST", path+"/messages/receive", `{"wait_seconds":60}`)
	wantEqual(t, answer.want(http.StatusOK), value{"messages": []any{}})
	if time.Since(started) > 10*time.Second {
		t.Error("the receive waited on")
	}
}
