package sqs

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A form is refused as the client's fault, or read; what was read, written as a
// form again, is read as the same.
func FuzzQuery(f *testing.F) {
	for _, form := range []string{
		"Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F000000000000%2Fq&MessageBody=a+b&DelaySeconds=5&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v",
		"Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b&SendMessageBatchRequestEntry.2.MessageAttribute.1.Name=n&SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.BinaryValue=AA%3D%3D",
		"Action=ReceiveMessage&AttributeName.1=All&AttributeName.3=x&MessageAttributeName=y&MaxNumberOfMessages=10",
		"Action=SetQueueAttributes&Attribute.Name=DelaySeconds&Attribute.Value=5",
		"Action=TagQueue&Tag.1.Key=a&Tag.1.Value=&Tag.999999999.Key=b&Tag.999999999.Value=c",
		"Action=UntagQueue&TagKey.0=a&TagKey.x=b&TagKey=&%zz&=&.&..=1",
		"Action=ChangeMessageVisibilityBatch&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=99999999999999999999",
		"Action=FooBar", "", "&&&=%",
	} {
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, form string) {
		asked, err := readQuery(form)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		written, err := encodeJSON(asked.input)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readQuery("Action=" + asked.name + formOf(asked.name, "", parsed(t, string(written))))
		if err != nil {
			t.Fatal(err)
		}
		// An empty list and none are the same to the actions, and in JSON.
		if rewritten, _ := encodeJSON(again.input); string(rewritten) != string(written) {
			t.Errorf("read %s, then %s", written, rewritten)
		}
	})
}

// A body is refused as the client's fault, or read; what was read, written again, is
// read as the same.
func FuzzJSON(f *testing.F) {
	names := slices.Sorted(maps.Keys(actions))
	for i, name := range names {
		f.Add(i, `{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"b","MessageAttributes":{"n":{"DataType":"Binary","BinaryValue":"AA=="}}}]}`)
		f.Add(i, `{"QueueName":"`+name+`","Attributes":{"a":"b"},"tags":null,"MaxResults":1}`)
	}
	f.Add(0, `[`)
	f.Add(0, ``)
	f.Fuzz(func(t *testing.T, action int, body string) {
		if action < 0 || action >= len(names) {
			return
		}
		asked, err := readJSON(names[action], body)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		written, err := encodeJSON(asked.input)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readJSON(names[action], string(written))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.input, asked.input) {
			t.Errorf("%s was read as %+v, and that as %+v", body, asked.input, again.input)
		}
	})
}

func readJSON(action, body string) (asked, error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	return jsonCodec{}.read(r)
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var refused *apiError
	if !errors.As(err, &refused) || refused.fault() != "Sender" || refused.message == "" {
		t.Errorf("got %v", err)
	}
}

// Every member of every action has one type in JSON.
func TestJSONTypesOfEveryMember(t *testing.T) {
	t.Parallel()
	checked := 0
	for name, action := range actions {
		eachMember(reflect.TypeOf(action.input()).Elem(), func(member, body string) {
			checked++
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", jsonType)
			r.Header.Set("X-Amz-Target", "AmazonSQS."+name)
			w := httptest.NewRecorder()
			New(nil, Options{}).ServeHTTP(w, r)
			if w.Code != http.StatusBadRequest || w.Header().Get("x-amzn-query-error") != "SerializationException;Sender" ||
				!strings.HasPrefix(w.Body.String(), `{"__type":"com.amazon.coral.service#SerializationException","message":"The member `+member+` must be `) {
				t.Errorf("%s %s: %d %s", name, body, w.Code, w.Body)
			}
		})
	}
	if checked < 200 {
		t.Errorf("only %d requests", checked)
	}
}

// eachMember visits inputs in each of which one member has a wrong type.
func eachMember(t reflect.Type, visit func(member, body string)) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		eachWrong(inner, name, func(member, value string) { visit(member, `{"`+name+`":`+value+`}`) })
	}
}

// eachWrong visits values that are not of a member's type, or hold one that is not.
func eachWrong(t reflect.Type, name string, visit func(member, value string)) {
	right := ""
	switch t.Kind() {
	case reflect.String:
		right = `"a"`
	case reflect.Int:
		right = `1`
		visit(name, `1.5`)
	case reflect.Struct:
		right = `{}`
		eachMember(t, visit)
	case reflect.Map:
		right = `{}`
		eachWrong(t.Elem(), name, func(member, value string) { visit(member, `{"k":`+value+`}`) })
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			right = `"a"`
			break
		}
		right = `[]`
		eachWrong(t.Elem(), name, func(member, value string) { visit(member, `[`+value+`]`) })
	}
	for _, value := range []string{`"a"`, `1`, `true`, `{}`, `[]`} {
		if value != right {
			visit(name, value)
		}
	}
}
