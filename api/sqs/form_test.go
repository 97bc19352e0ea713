package sqs_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// formLists and formMaps are the names that lists and maps have in the Query protocol, and
// those of the maps' keys and values.
var (
	formLists = map[string]string{
		"AttributeNames": "AttributeName", "MessageSystemAttributeNames": "MessageSystemAttributeName",
		"MessageAttributeNames": "MessageAttributeName", "TagKeys": "TagKey", "AWSAccountIds": "AWSAccountId",
		"Actions": "ActionName", "StringListValues": "StringListValue", "BinaryListValues": "BinaryListValue",
	}
	formMaps = map[string][3]string{
		"Attributes": {"Attribute", "Name", "Value"}, "Tags": {"Tag", "Key", "Value"}, "tags": {"Tag", "Key", "Value"},
		"MessageAttributes":       {"MessageAttribute", "Name", "Value"},
		"MessageSystemAttributes": {"MessageSystemAttribute", "Name", "Value"},
	}
)

// formRequest makes the request of the Query protocol that a request of AWS JSON is.
func formRequest(action, body string) *http.Request {
	form := url.Values{"Action": {action}, "Version": {"2012-11-05"}}
	if body != "" {
		var input map[string]any
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&input); err != nil {
			panic(err)
		}
		addMembers(form, action, "", input)
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

func addMembers(form url.Values, action, prefix string, members map[string]any) {
	for name, value := range members {
		switch names, isMap := formMaps[name]; {
		case isMap:
			number := 0
			for key, item := range value.(map[string]any) {
				number++
				at := fmt.Sprintf("%s%s.%d.", prefix, names[0], number)
				form.Set(at+names[1], key)
				addValue(form, action, at+names[2], item)
			}
		case formLists[name] != "":
			addList(form, action, prefix+formLists[name], value)
		case name == "Entries":
			addList(form, action, prefix+action+"RequestEntry", value)
		default:
			addValue(form, action, prefix+name, value)
		}
	}
}

func addList(form url.Values, action, name string, list any) {
	for i, item := range list.([]any) {
		addValue(form, action, fmt.Sprintf("%s.%d", name, i+1), item)
	}
}

func addValue(form url.Values, action, name string, value any) {
	if members, isObject := value.(map[string]any); isObject {
		addMembers(form, action, name+".", members)
		return
	}
	form.Set(name, fmt.Sprint(value))
}

// checkFormRefused checks what a refused request gets in the Query protocol.
func (s *setup) checkFormRefused(t *testing.T, test refused) {
	t.Helper()
	w := s.do(formRequest(test.action, test.body))
	var got struct {
		XMLName xml.Name `xml:"http://queue.amazonaws.com/doc/2012-11-05/ ErrorResponse"`
		Error   struct{ Type, Code, Message string }
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Errorf("%s: %v in %s", test.body, err, w.Body)
	}
	code, fault, _ := strings.Cut(test.queryError, ";")
	message := test.message
	if code == "AWS.SimpleQueueService.NonExistentQueue" {
		message = "The specified queue does not exist for this wsdl version."
	}
	if w.Code != test.status || got.Error.Type != fault || got.Error.Code != code || got.Error.Message != message {
		t.Errorf("%s %s in the Query protocol:\n got %d %q\nwant %d %s %s %q", test.action, test.body,
			w.Code, got.Error, test.status, fault, code, message)
	}
}
