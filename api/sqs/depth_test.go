package sqs_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A request is nested in 64 levels at most. Brackets in strings are no levels.
func TestDepth(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	nested := func(open string, n int, closing string) string {
		return fmt.Sprintf(`{"QueueUrl":"jobs","MessageBody":"b","Unknown":%s1%s}`, strings.Repeat(open, n), strings.Repeat(closing, n))
	}
	for name, test := range map[string]struct {
		body string
		deep bool
	}{
		"lists, as deep as may be":   {nested("[", 63, "]"), false},
		"lists":                      {nested("[", 64, "]"), true},
		"objects, as deep as may be": {nested(`{"a":`, 63, "}"), false},
		"objects":                    {nested(`{"a":`, 64, "}"), true},
		"both, without an end":       {strings.Repeat(`[{"a":`, 1e6), true},
		"brackets in a string":       {`{"QueueUrl":"jobs","MessageBody":"\"` + strings.Repeat("[{", 100) + `\\","Unknown":1}`, false},
		"many beside each other":     {`{"QueueUrl":"jobs","MessageBody":"b","Unknown":[` + strings.Repeat("[],", 100) + `[]]}`, false},
	} {
		w := s.do(request("SendMessage", test.body))
		deep := w.Code == http.StatusBadRequest && strings.Contains(w.Body.String(), "nested in more than 64 levels")
		if deep != test.deep || !deep && w.Code != http.StatusOK {
			t.Errorf("%s: %d %.200s", name, w.Code, w.Body)
		}
	}
	policy := `{\"Statement\":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`
	w := s.do(request("SetQueueAttributes", `{"QueueUrl":"jobs","Attributes":{"Policy":"`+policy+`"}}`))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "InvalidAttributeValue") {
		t.Errorf("a deep policy: %d %.200s", w.Code, w.Body)
	}
}
