package sqs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// hotBodies are bodies of hot actions that are read without encoding/json: hotActions',
// and the same members in other forms.
var hotBodies = []string{
	`{}`,
	" {\t\"QueueUrl\" :\r\n\"q\" , \"MessageBody\":\"b\" } ",
	`{"Queue\u0055rl":"q","MessageBody":"{\"a\":\"\\\/\b\f\n\r\t\u00e4\u20AC\ud83d\ude00\"}","DelaySeconds":-0}`,
	`{"QueueUrl":"ä€😀` + "\x7f" + `","DelaySeconds":900,"MessageGroupId":"g","MessageDeduplicationId":"d"}`,
	`{"MessageAttributes":{"a":{"DataType":"String","StringValue":"v"},"b":{"DataType":"Binary","BinaryValue":"AAH/"},"c":{}},"MessageSystemAttributes":{}}`,
	`{"AttributeNames":["All"],"MessageAttributeNames":[],"MessageSystemAttributeNames":["a","b"],"MaxNumberOfMessages":10,"VisibilityTimeout":-999999999999999999,"ReceiveRequestAttemptId":""}`,
	`{"QueueUrl":"q","QueueUrl":"r","ReceiptHandle":"s","ReceiptHandle":"t","VisibilityTimeout":1,"VisibilityTimeout":2}`,
	`{"Entries":[{},{"Id":"a"},{"Id":"","Id":"b"}],"QueueUrl":"q"}`,
	`{"Entries":[]}`,
	hotBatch(`"MessageBody":"b","DelaySeconds":0,"MessageAttributes":{"n":{"BinaryValue":""}}`),
	hotBatch(`"ReceiptHandle":"r","VisibilityTimeout":0`),
	`{"Entries":[{"Id":"0"},{"Id":"1"},{"Id":"2"},{"Id":"3"},{"Id":"4"},{"Id":"5"},{"Id":"6"},{"Id":"7"},{"Id":"8"},{"Id":"9"},{"Id":"10"},{"Id":"11"}]}`,
}

// coldBodies are bodies that no hot action reads without encoding/json.
var coldBodies = []string{
	``, `null`, `[]`, `{`, `{}x`, `{} {}`, `{"QueueUrl"}`, `{"QueueUrl":}`, `{"QueueUrl":"q",}`, `{"QueueUrl":"q"`, `{,}`, "{\x00}", "{}\x00", "{\"QueueUrl\"\v:\"q\"}",
	`{"queueurl":"q"}`, `{"Unknown":1}`, `{"QueueUrl":null}`, `{"QueueUrl":1}`, `{"QueueUrl":"q" "MessageBody":"b"}`,
	`{"QueueUrl":"\x"}`, `{"QueueUrl":"\`, `{"QueueUrl":"\"}`, `{"QueueUrl":"\u12"}`, `{"QueueUrl":"\u12g4"}`, `{"QueueUrl":"\ud800"}`, `{"QueueUrl":"\ud800\u0041"}`, `{"QueueUrl":"\udc00\ud800"}`, `{"QueueUrl":"\u`,
	"{\"QueueUrl\":\"a\nb\"}", "{\"QueueUrl\":\"\xff\"}", "{\"QueueUrl\":\"\\n\xc3\"}", "{\"QueueUrl\":\"\xed\xa0\x80\"}", "{\"QueueUrl\":\"12345678\x1f\"}",
	`{"VisibilityTimeout":1.5}`, `{"VisibilityTimeout":01}`, `{"VisibilityTimeout":-}`, `{"VisibilityTimeout":1e2}`, `{"VisibilityTimeout":+1}`, `{"VisibilityTimeout":- 1}`,
	`{"VisibilityTimeout":9223372036854775808}`, `{"DelaySeconds":"1"}`, `{"DelaySeconds":}`,
	`{"Entries":[{"Id":"a"}],"Entries":[{}]}`, `{"Entries":{}}`, `{"Entries":[{},]}`, `{"Entries":[null]}`, `{"Entries":[{}`, `{"AttributeNames":["a"],"AttributeNames":[]}`,
	`{"MessageAttributes":{"a":{}},"MessageAttributes":{"b":{}}}`, `{"MessageAttributes":{"a":{"BinaryValue":"%"}}}`, `{"MessageAttributes":{"a":{"StringListValues":[]}}}`,
}

// readHotAs reads a body as an action's input and checks that what is read is what
// encoding/json reads.
func readHotAs(t *testing.T, action, body string) bool {
	t.Helper()
	got := actions[action].input()
	if !readHot(body, got.(jsonInput)) {
		return false
	}
	want := actions[action].input()
	if err := json.Unmarshal([]byte(body), want); err != nil {
		t.Errorf("%s: %q was read, and is wrong: %v", action, body, err)
	} else if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %q was read as %s, and is %s", action, body, shownJSON(got), shownJSON(want))
	}
	return true
}

func shownJSON(value any) string {
	text, _ := encodeJSON(value)
	return string(text)
}

func TestHotInputs(t *testing.T) {
	t.Parallel()
	requests := snapshots(t, "request")
	for _, hot := range hotActions {
		for _, body := range []string{hot.body, strings.ReplaceAll(hot.body, `","`, `", "`)} {
			if !readHotAs(t, hot.name, body) {
				t.Errorf("%s: %s is left to encoding/json", hot.name, body)
			}
		}
		// The snapshots have the lists that no message can have.
		if body := requests[hot.name]; !readHotAs(t, hot.name, body) && !strings.Contains(body, "ListValues") {
			t.Errorf("%s: %s is left to encoding/json", hot.name, body)
		}
		for _, body := range coldBodies {
			if readHotAs(t, hot.name, body) {
				t.Errorf("%s: %q is read without encoding/json", hot.name, body)
			}
		}
	}
	for _, body := range hotBodies {
		reads := 0
		for _, hot := range hotActions {
			if readHotAs(t, hot.name, body) {
				reads++
			}
		}
		if reads == 0 {
			t.Errorf("%s is left to encoding/json", body)
		}
	}
}

// What is read without encoding/json is what encoding/json reads, for each hot action.
func FuzzHotInputs(f *testing.F) {
	for i, hot := range hotActions {
		f.Add(uint(i), hot.body)
		for _, body := range append(coldBodies, hotBodies...) {
			f.Add(uint(i), body)
		}
	}
	f.Fuzz(func(t *testing.T, i uint, body string) {
		readHotAs(t, hotActions[i%uint(len(hotActions))].name, body)
	})
}

// hotOutputs are outputs with every member, and with none that can be left out.
func hotOutputs(id, text, name string, binary []byte, fault bool) []jsonOutput {
	full := sent{id, text, name, text, id}
	attributes := map[string]attributeValue{
		name: {DataType: text, StringValue: &text}, id: {DataType: name, BinaryValue: binary}, "": {},
	}
	return []jsonOutput{
		&full, &sent{},
		&sendMessageBatchOutput{}, &sendMessageBatchOutput{Successful: []sentEntry{{Id: id, sent: full}, {}}},
		&sendMessageBatchOutput{Failed: []failedEntry{{id, fault, name, text}, {}}},
		&settleBatchOutput{}, &settleBatchOutput{[]doneEntry{{id}, {text}}, []failedEntry{{id, fault, name, text}}},
		&receiveMessageOutput{}, &receiveMessageOutput{[]message{
			{id, text, name, text, map[string]string{name: text, text: id, id: ""}, id, attributes}, {},
		}},
	}
}

// What is written without encoding/json is what encoding/json writes.
func FuzzHotOutputs(f *testing.F) {
	f.Add("id", "<&>\"\\/\b\f\n\r\t\x00\x1f\x7f", "name", []byte{0, 1, 255}, true)
	f.Add("ä€😀\u2028\u2029\ufffd", "\xff\xc3\xed\xa0\x80", "", []byte{}, false)
	f.Add("0123456", "01234567", "012345678\"", []byte(nil), true)
	f.Fuzz(func(t *testing.T, id, text, name string, binary []byte, fault bool) {
		for _, output := range hotOutputs(id, text, name, binary, fault) {
			want, err := encodeJSON(output)
			if err != nil {
				t.Fatal(err)
			}
			if got := output.appendJSON(nil); !bytes.Equal(got, want) {
				t.Errorf("%T is written as\n%q, and is\n%q", output, got, want)
			}
		}
	})
}

// Of every byte at every place it is known whether it stands for itself in JSON.
func TestPlainPrefix(t *testing.T) {
	t.Parallel()
	for length := range 26 {
		for at := range length {
			for c := range 256 {
				text := strings.Repeat(" ", at) + string([]byte{byte(c)}) + strings.Repeat("~", length-at-1)
				want := length
				if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
					want = at
				}
				if got := plainPrefix(text); got != want {
					t.Fatalf("%q: got %d, want %d", text, got, want)
				}
			}
		}
	}
}

// Reading allocates the reader and what it returns, whatever the number of entries, and
// writing allocates nothing.
func TestHotAllocations(t *testing.T) {
	most := map[string]float64{
		"SendMessage":                  2, // the input and the reader
		"SendMessageBatch":             4, // and the entries and their ids
		"ReceiveMessage":               4, // and two numbers
		"DeleteMessage":                2,
		"DeleteMessageBatch":           4,
		"ChangeMessageVisibility":      3,
		"ChangeMessageVisibilityBatch": 4,
	}
	for _, hot := range hotActions {
		got := testing.AllocsPerRun(100, func() {
			if !readHot(hot.body, actions[hot.name].input().(jsonInput)) {
				t.Fatalf("%s is left to encoding/json", hot.name)
			}
		})
		if got > most[hot.name] {
			t.Errorf("%s: %v allocations to read, want at most %v", hot.name, got, most[hot.name])
		}
	}
	room := make([]byte, 0, 1<<12)
	for _, output := range hotOutputs("id", "te\"xt", "name", []byte{1}, true) {
		if got := testing.AllocsPerRun(100, func() { output.appendJSON(room) }); got > 0 {
			t.Errorf("%T: %v allocations to write, want none", output, got)
		}
	}
}
