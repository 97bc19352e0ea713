package sqs

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tusq/internal/telemetry"
)

// queryNames are the names of lists (one) and of maps (entry, key, value) in the
// Query protocol, by their names in JSON. "*" stands for the action. They are
// written down a second time, from SQS's own model, to check the types' tags.
var queryNames = map[string][]string{
	"AWSAccountIds":               {"AWSAccountId"},
	"Actions":                     {"ActionName"},
	"AttributeNames":              {"AttributeName"},
	"Attributes":                  {"Attribute", "Name", "Value"},
	"BinaryListValues":            {"BinaryListValue"},
	"Entries":                     {"*RequestEntry"},
	"Failed":                      {"BatchResultErrorEntry"},
	"MessageAttributeNames":       {"MessageAttributeName"},
	"MessageAttributes":           {"MessageAttribute", "Name", "Value"},
	"MessageSystemAttributeNames": {"MessageSystemAttributeName"},
	"MessageSystemAttributes":     {"MessageSystemAttribute", "Name", "Value"},
	"Messages":                    {"Message"},
	"QueueUrls":                   {"QueueUrl"},
	"Results":                     {"*ResultEntry"},
	"StringListValues":            {"StringListValue"},
	"Successful":                  {"*ResultEntry"},
	"TagKeys":                     {"TagKey"},
	"Tags":                        {"Tag", "Key", "Value"},
	"queueUrls":                   {"QueueUrl"},
	"tags":                        {"Tag", "Key", "Value"},
}

func namesOf(action, member string) []string {
	names := slices.Clone(queryNames[member])
	if len(names) > 0 {
		names[0] = strings.Replace(names[0], "*", action, 1)
	}
	return names
}

// outputs are the outputs of those actions that have one.
var outputs = map[string]func() any{
	"CancelMessageMoveTask":        func() any { return new(cancelMessageMoveTaskOutput) },
	"ChangeMessageVisibilityBatch": func() any { return new(settleBatchOutput) },
	"CreateQueue":                  func() any { return new(queueURLOutput) },
	"DeleteMessageBatch":           func() any { return new(settleBatchOutput) },
	"GetQueueAttributes":           func() any { return new(getQueueAttributesOutput) },
	"GetQueueUrl":                  func() any { return new(queueURLOutput) },
	"ListDeadLetterSourceQueues":   func() any { return new(listDeadLetterSourceQueuesOutput) },
	"ListMessageMoveTasks":         func() any { return new(listMessageMoveTasksOutput) },
	"ListQueueTags":                func() any { return new(queueTagsOutput) },
	"ListQueues":                   func() any { return new(listQueuesOutput) },
	"ReceiveMessage":               func() any { return new(receiveMessageOutput) },
	"SendMessage":                  func() any { return new(sent) },
	"SendMessageBatch":             func() any { return new(sendMessageBatchOutput) },
	"StartMessageMoveTask":         func() any { return new(startMessageMoveTaskOutput) },
}

// answers that the SDK has no snapshot of, for it checks their sums.
var answers = map[string]string{
	"SendMessage": `{"MD5OfMessageAttributes":"a","MD5OfMessageBody":"b","MD5OfMessageSystemAttributes":"c","MessageId":"d","SequenceNumber":"1"}`,
	"SendMessageBatch": `{"Failed":[{"Code":"c","Id":"i","Message":"m","SenderFault":true}],
		"Successful":[{"Id":"i","MD5OfMessageAttributes":"a","MD5OfMessageBody":"b","MD5OfMessageSystemAttributes":"c","MessageId":"d","SequenceNumber":"1"},
		{"Id":"j","MD5OfMessageBody":"b","MessageId":"e"}]}`,
	"ReceiveMessage": `{"Messages":[{"Attributes":{"SenderId":"s","SentTimestamp":"1"},"Body":" <a b=\"&\">\r\n\t ","MD5OfBody":"b","MD5OfMessageAttributes":"a",
		"MessageAttributes":{"n":{"DataType":"Binary","BinaryValue":"AP8="},"m":{"DataType":"String","StringValue":""}},"MessageId":"d","ReceiptHandle":"r"},
		{"Body":"b","MD5OfBody":"b","MessageId":"e","ReceiptHandle":"s"}]}`,
}

// snapshots returns the bodies of the SDK's own golden requests or answers by action.
func snapshots(t *testing.T, kind string) map[string]string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/sqs").Output()
	if err != nil {
		t.Fatal(err)
	}
	suffix := "." + kind + ".snap"
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), kind+"_snapshot", "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	bodies := make(map[string]string)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		body := content[strings.LastIndex(string(content), "\n\n")+2:]
		bodies[strings.TrimSuffix(filepath.Base(path), suffix)] = string(body)
	}
	return bodies
}

// Both codecs read what the SDK writes for every action and lose none of it.
func TestSDKRequests(t *testing.T) {
	t.Parallel()
	requests := snapshots(t, "request")
	if !slices.Equal(slices.Sorted(maps.Keys(requests)), slices.Sorted(maps.Keys(actions))) {
		t.Fatalf("snapshots of %v", slices.Sorted(maps.Keys(requests)))
	}
	for name, body := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := actions[name].input()
			decoder := json.NewDecoder(strings.NewReader(body))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(want); err != nil {
				t.Fatal(err)
			}
			checkSameJSON(t, want, body)

			form := "Action=" + name + formOf(name, "", parsed(t, body))
			asked, err := readQuery(form)
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if !reflect.DeepEqual(asked.input, want) {
				t.Errorf("%s\n query %+v\n  json %+v", form, asked.input, want)
			}
		})
	}
}

// Both codecs write what the SDK expects of every action.
func TestSDKAnswers(t *testing.T) {
	t.Parallel()
	bodies := snapshots(t, "response")
	maps.Copy(bodies, answers)
	if len(bodies) != len(actions) {
		t.Fatalf("%d answers", len(bodies))
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var output any
			want := map[string]any{}
			if make, found := outputs[name]; found {
				output = make()
				if err := json.Unmarshal([]byte(body), output); err != nil {
					t.Fatal(err)
				}
				checkSameJSON(t, output, body)
				want = parsed(t, body)
			}
			checkXML(t, name, output, want)
		})
	}
}

// checkXML checks that an output's XML has all of the members that are wanted, and
// no more.
func checkXML(t *testing.T, action string, output any, want map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r = r.WithContext(telemetry.WithRequest(r.Context(), &telemetry.Request{ID: "id"}))
	if err := (queryCodec{}).writeOutput(w, r, action, output); err != nil {
		t.Fatal(err)
	}
	root, err := parseXML(w.Body.String())
	if err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if root.name != action+"Response" || root.space != queryNamespace {
		t.Errorf("root %s of %q", root.name, root.space)
	}
	if output != nil {
		compare(t, action, "", want, root.children[0])
		root.children = root.children[1:]
	}
	if len(root.children) != 1 || root.children[0].name != "ResponseMetadata" || root.children[0].children[0].text != "id" {
		t.Errorf("the answer ends in %s", w.Body)
	}
}

// compare compares a structure in JSON with one in XML.
func compare(t *testing.T, action, path string, want map[string]any, got element) {
	t.Helper()
	wanted := 0
	for member, value := range want {
		names := namesOf(action, member)
		switch value := value.(type) {
		case []any:
			items := got.named(names[0])
			wanted += len(value)
			if len(items) != len(value) {
				t.Fatalf("%s%s: %d items, want %d", path, member, len(items), len(value))
			}
			for i := range value {
				compareValue(t, action, path+member+".", value[i], items[i])
			}
		case map[string]any:
			entries := got.named(names[0])
			wanted += len(value)
			for _, entry := range entries {
				key := entry.named(names[1])[0].text
				compareValue(t, action, path+member+"."+key+".", value[key], entry.named(names[2])[0])
			}
		default:
			wanted++
			compareValue(t, action, path+member, value, got.named(member)[0])
		}
	}
	if len(got.children) != wanted {
		t.Errorf("%s: %d elements, want %d", path, len(got.children), wanted)
	}
}

func compareValue(t *testing.T, action, path string, want any, got element) {
	t.Helper()
	if structure, ok := want.(map[string]any); ok {
		compare(t, action, path, structure, got)
		return
	}
	if fmt.Sprint(want) != got.text {
		t.Errorf("%s: got %q, want %q", path, got.text, want)
	}
}

// formOf writes a structure's members in Query, each after an ampersand.
func formOf(action, prefix string, structure map[string]any) string {
	var form strings.Builder
	add := func(name string, value any) {
		if inner, ok := value.(map[string]any); ok {
			form.WriteString(formOf(action, name+".", inner))
			return
		}
		form.WriteString("&" + url.QueryEscape(name) + "=" + url.QueryEscape(fmt.Sprint(value)))
	}
	for member, value := range structure {
		names := namesOf(action, member)
		switch value := value.(type) {
		case nil:
		case []any:
			for i, item := range value {
				add(prefix+names[0]+"."+strconv.Itoa(i+1), item)
			}
		case map[string]any:
			place := 0
			for key, item := range value {
				place++
				entry := prefix + names[0] + "." + strconv.Itoa(place) + "."
				add(entry+names[1], key)
				add(entry+names[2], item)
			}
		default:
			add(prefix+member, value)
		}
	}
	return form.String()
}

func parsed(t *testing.T, body string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// checkSameJSON checks that a value has all that was read from body.
func checkSameJSON(t *testing.T, value any, body string) {
	t.Helper()
	again, err := encodeJSON(value)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := parsed(t, string(again)), parsed(t, body); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// element is an element of a parsed document.
type element struct {
	space, name, text string
	children          []element
}

func (e element) named(name string) []element {
	var found []element
	for _, child := range e.children {
		if child.name == name {
			found = append(found, child)
		}
	}
	return found
}

// parseXML reads a document, which must end with its root.
func parseXML(document string) (element, error) {
	decoder := xml.NewDecoder(strings.NewReader(document))
	token, err := decoder.Token()
	if err != nil {
		return element{}, err
	}
	start, ok := token.(xml.StartElement)
	if !ok {
		return element{}, fmt.Errorf("the document begins with %v", token)
	}
	root, err := parseElement(decoder, start)
	if err != nil {
		return root, err
	}
	if token, err := decoder.Token(); err != io.EOF {
		return root, fmt.Errorf("after the root: %v, %w", token, err)
	}
	return root, nil
}

func parseElement(decoder *xml.Decoder, start xml.StartElement) (element, error) {
	e := element{space: start.Name.Space, name: start.Name.Local}
	for {
		token, err := decoder.Token()
		if err != nil {
			return e, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := parseElement(decoder, token)
			if err != nil {
				return e, err
			}
			e.children = append(e.children, child)
		case xml.CharData:
			e.text += string(token)
		case xml.EndElement:
			return e, nil
		}
	}
}
