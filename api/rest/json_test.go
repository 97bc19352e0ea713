package rest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"tusq/service"
)

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	var request CreateQueue
	body := " {\"name\" : \"a\\u00e9\\ud83d\\ude00\\n\\/\", \"wait_seconds\":-0,\"tags\":{},\r\n\t\"dead_letter\":null,\"content_deduplication\": true} "
	if err := decodeJSON([]byte(body), &request); err != nil {
		t.Fatal(err)
	}
	if request.Name != "aé😀\n/" || *request.WaitSeconds != 0 || request.Tags == nil {
		t.Errorf("got %+v", request)
	}
	if request.DeadLetter == nil || *request.DeadLetter != nil {
		t.Errorf("null came as %v", request.DeadLetter)
	}
	if request.ContentDeduplication == nil || !*request.ContentDeduplication {
		t.Errorf("true came as %v", request.ContentDeduplication)
	}
	var no QueueSettings
	if err := decodeJSON([]byte(`{"content_deduplication":false}`), &no); err != nil || no.ContentDeduplication == nil || *no.ContentDeduplication {
		t.Errorf("false came as %v, %v", no.ContentDeduplication, err)
	}
	if request.VisibilityTimeout != nil {
		t.Error("an absent field was set")
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	t.Parallel()
	const invalid, parameter, missing = service.CodeInvalidRequest, service.CodeInvalidParameter, service.CodeMissingParameter
	tests := []struct {
		name   string
		body   string
		target any
		code   service.Code
		field  string
		text   string // a part of the message
	}{
		{"nothing", "", new(CreateQueue), invalid, "", "no value at byte 0"},
		{"half an object", `{"name":"a"`, new(CreateQueue), invalid, "", "neither ',' nor '}'"},
		{"no name", `{name:"a"}`, new(CreateQueue), invalid, "", "no member name at byte 1"},
		{"comma at the end", `{"name":"a",}`, new(CreateQueue), invalid, "", "no member name"},
		{"no colon", `{"name" "a"}`, new(CreateQueue), invalid, "", "no ':'"},
		{"data after it", `{"name":"a"} {}`, new(CreateQueue), invalid, "", "data after the JSON value at byte 13"},
		{"zero byte after it", "{\"name\":\"a\"}\x00", new(CreateQueue), invalid, "", "data after the JSON value"},
		{"an array", `[]`, new(CreateQueue), invalid, "", "must be an object, not an array"},
		{"null", `null`, new(CreateQueue), invalid, "", "must be an object, not null"},
		{"invalid UTF-8", "{\"name\":\"\xff\"}", new(CreateQueue), invalid, "", "UTF-8 at byte 9"},
		{"unknown field", `{"name":"a","nome":1}`, new(CreateQueue), invalid, "nome", "nome is not a known field"},
		{"other case", `{"Name":"a"}`, new(CreateQueue), invalid, "Name", "is not a known field"},
		{"given twice", `{"name":"a","name":"b"}`, new(CreateQueue), invalid, "name", "is given twice"},
		{"tag given twice", `{"name":"a","tags":{"k":"1","k":"2"}}`, new(CreateQueue), invalid, "tags.k", "is given twice"},
		{"required", `{}`, new(CreateQueue), missing, "name", "name is required"},
		{"required inside", `{"name":"a","dead_letter":{"queue":"b"}}`, new(CreateQueue), missing, "dead_letter.max_receives", "is required"},
		{"number for string", `{"name":1}`, new(CreateQueue), invalid, "name", "must be a string, not a number (at byte 8)"},
		{"null for string", `{"name":null}`, new(CreateQueue), invalid, "name", "must be a string, not null"},
		{"null for a map", `{"name":"a","tags":null}`, new(CreateQueue), invalid, "tags", "must be an object, not null"},
		{"string for number", `{"wait_seconds":"1"}`, new(QueueSettings), invalid, "wait_seconds", "must be an integer, not a string"},
		{"boolean for number", `{"wait_seconds":true}`, new(QueueSettings), invalid, "wait_seconds", "must be an integer, not a boolean"},
		{"string for boolean", `{"content_deduplication":"true"}`, new(QueueSettings), invalid, "content_deduplication", "must be a boolean, not a string"},
		{"number for boolean", `{"content_deduplication":1}`, new(QueueSettings), invalid, "content_deduplication", "must be a boolean, not a number"},
		{"null for boolean", `{"content_deduplication":null}`, new(QueueSettings), invalid, "content_deduplication", "must be a boolean, not null"},
		{"more than a boolean", `{"content_deduplication":trues}`, new(QueueSettings), invalid, "", "neither ',' nor '}'"},
		{"half a boolean", `{"content_deduplication":fals`, new(QueueSettings), invalid, "content_deduplication", "must be a boolean"},
		{"null for number", `{"wait_seconds":null}`, new(QueueSettings), invalid, "wait_seconds", "must be an integer, not null"},
		{"fraction", `{"wait_seconds":1.0}`, new(QueueSettings), invalid, "wait_seconds", "without fraction or exponent"},
		{"exponent", `{"wait_seconds":1e3}`, new(QueueSettings), invalid, "wait_seconds", "without fraction or exponent"},
		{"far too large", `{"wait_seconds":99999999999999999999}`, new(QueueSettings), parameter, "wait_seconds", "far out of range"},
		{"zeros first", `{"wait_seconds":007}`, new(QueueSettings), invalid, "wait_seconds", "malformed number"},
		{"two signs", `{"wait_seconds":--1}`, new(QueueSettings), invalid, "wait_seconds", "malformed number"},
		{"a name's end", `{"messages":[{"body":"a"},{"body":"b","x":1}]}`, new(SendMessages), invalid, "messages[1].x", "messages[1].x is not a known field"},
		{"array's end", `{"messages":[{"body":"a"}`, new(SendMessages), invalid, "messages", "neither ',' nor ']'"},
		{"string without end", `{"name":"a`, new(CreateQueue), invalid, "name", "a string without end"},
		{"control character", "{\"name\":\"a\nb\"}", new(CreateQueue), invalid, "name", "a control character"},
		{"unknown escape", `{"name":"\x41"}`, new(CreateQueue), invalid, "name", "an unknown escape"},
		{"short escape", `{"name":"\u12"}`, new(CreateQueue), invalid, "name", "an unknown escape"},
		{"high surrogate alone", `{"name":"\ud83dx"}`, new(CreateQueue), invalid, "name", "half of a surrogate pair at byte 9"},
		{"low surrogate alone", `{"name":"\ude00"}`, new(CreateQueue), invalid, "name", "half of a surrogate pair"},
		{"surrogates turned round", `{"name":"\ude00\ud83d"}`, new(CreateQueue), invalid, "name", "half of a surrogate pair"},
	}
	for _, test := range tests {
		err := decodeJSON([]byte(test.body), test.target)
		if service.ErrorCode(err) != test.code || service.ErrorField(err) != test.field {
			t.Errorf("%s: got code %s, field %q", test.name, service.ErrorCode(err), service.ErrorField(err))
		}
		if !strings.Contains(service.ErrorMessage(err), test.text) {
			t.Errorf("%s: got %q, want %q in it", test.name, service.ErrorMessage(err), test.text)
		}
	}
}

// A small body must not become a large value.
func TestDecodeJSONBoundsEntries(t *testing.T) {
	t.Parallel()
	err := decodeJSON([]byte(`{"receipts":["`+strings.Repeat(`","`, maxEntries)+`"]}`), new(DeleteMessages))
	if service.ErrorCode(err) != service.CodeBatchTooMany || service.ErrorField(err) != "receipts[1000]" {
		t.Errorf("receipts: got %v", err)
	}
	var tags bytes.Buffer
	for i := range maxEntries + 1 {
		tags.WriteString(`,"` + strings.Repeat("k", i) + `":""`)
	}
	err = decodeJSON([]byte(`{"tags":{`+tags.String()[1:]+`}}`), new(QueueSettings))
	if service.ErrorCode(err) != service.CodeInvalidParameter {
		t.Errorf("tags: got %v", err)
	}
}

// What is accepted means what encoding/json takes it for.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"body":"a","delay_seconds":5,"attributes":{"n":{"type":"Number","value":"1"}},"group_id":"g","deduplication_id":"d"}`,
		`{"messages":[{"body":"\ud83d\ude00\t\u0000"}, {"body":"b","delay_seconds":-0}]}`,
		` {"messages" : [ ] } `, `{"body":"\"\\\/\b\f\n\r\t"}`, `{"body":1e5}`, "{\"body\":\"\u2028\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want sendRequest
		if decodeJSON(body, &got) != nil {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, encoding/json %+v", got, want)
		}
	})
}

func BenchmarkDecodeSend(b *testing.B) {
	body := []byte(`{"body":"` + strings.Repeat("x", 256) + `","delay_seconds":5}`)
	b.ReportAllocs()
	for b.Loop() {
		var request sendRequest
		if err := decodeJSON(body, &request); err != nil {
			b.Fatal(err)
		}
	}
}
