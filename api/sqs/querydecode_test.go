package sqs

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// readQuery reads a form as a request to the root.
func readQuery(form string) (asked, error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return queryCodec{}.read(r)
}

func TestQueryForms(t *testing.T) {
	t.Parallel()
	pair := map[string]string{"A": "1", "B": "2"}
	tests := []struct {
		name, form string
		want       any
	}{
		{"a value", "Action=SendMessage&MessageBody=a%26b%3Dc+d;e&DelaySeconds=0", &sendMessageInput{outgoing: outgoing{MessageBody: "a&b=c d;e", DelaySeconds: new(0)}}},
		{"an empty value", "Action=SendMessage&MessageGroupId=&MessageBody", &sendMessageInput{outgoing: outgoing{MessageGroupId: new("")}}},
		{"a list", "Action=UntagQueue&TagKey.1=a&TagKey.2=b", &untagQueueInput{TagKeys: []string{"a", "b"}}},
		{"a list in any order", "Action=UntagQueue&TagKey.10=c&TagKey.2=b&TagKey.1=a", &untagQueueInput{TagKeys: []string{"a", "b", "c"}}},
		{"a list with gaps", "Action=UntagQueue&TagKey.7=b&TagKey.999999999=c&TagKey.0=a", &untagQueueInput{TagKeys: []string{"a", "b", "c"}}},
		{"a list without an index", "Action=UntagQueue&TagKey=a", &untagQueueInput{TagKeys: []string{"a"}}},
		{"an item without an index goes first", "Action=UntagQueue&TagKey.0=b&TagKey=a", &untagQueueInput{TagKeys: []string{"a", "b"}}},
		{"an empty list", "Action=DeleteMessageBatch&DeleteMessageBatchRequestEntry=", &deleteMessageBatchInput{}},
		{"an empty map", "Action=TagQueue&Tag=", &tagQueueInput{}},
		{"a map", "Action=TagQueue&Tag.1.Value=1&Tag.1.Key=A&Tag.2.Key=B&Tag.2.Value=2", &tagQueueInput{Tags: pair}},
		{"a map with an empty value", "Action=TagQueue&Tag.1.Key=A&Tag.1.Value=", &tagQueueInput{Tags: map[string]string{"A": ""}}},
		{"a map under its member's name", "Action=TagQueue&Tags.1.Key=k&Tags.1.Value=v", &tagQueueInput{Tags: map[string]string{"k": "v"}}},
		{"a map without an index", "Action=SetQueueAttributes&Attribute.Name=A&Attribute.Value=1", &setQueueAttributesInput{Attributes: map[string]string{"A": "1"}}},
		{
			"entries", "Action=ChangeMessageVisibilityBatch&ChangeMessageVisibilityBatchRequestEntry.2.Id=b&ChangeMessageVisibilityBatchRequestEntry.1.Id=a&ChangeMessageVisibilityBatchRequestEntry.2.VisibilityTimeout=5",
			&changeMessageVisibilityBatchInput{Entries: []changeMessageVisibilityBatchEntry{{Id: new("a")}, {Id: new("b"), VisibilityTimeout: 5}}},
		},
		{"an attribute without a value", "Action=SendMessage&MessageAttribute.1.Name=a", &sendMessageInput{outgoing: outgoing{MessageAttributes: map[string]attributeValue{"a": {}}}}},
		{
			"an attribute without a name", "Action=SendMessage&MessageAttribute.1.Key=a&MessageAttribute.1.Value.DataType=String",
			&sendMessageInput{outgoing: outgoing{MessageAttributes: map[string]attributeValue{"": {DataType: "String"}}}},
		},
		{
			"attributes of an entry", "Action=SendMessageBatch&SendMessageBatchRequestEntry.1.MessageAttribute.3.Name=n&SendMessageBatchRequestEntry.1.MessageAttribute.3.Value.DataType=Binary&SendMessageBatchRequestEntry.1.MessageAttribute.3.Value.BinaryValue=AP8%3D",
			&sendMessageBatchInput{Entries: []sendMessageBatchEntry{{outgoing: outgoing{MessageAttributes: map[string]attributeValue{"n": {DataType: "Binary", BinaryValue: []byte{0, 0xff}}}}}}},
		},
		{
			"both lists of system attributes", "Action=ReceiveMessage&AttributeName.1=a&MessageSystemAttributeName.1=b&MessageAttributeName.1=c",
			&receiveMessageInput{AttributeNames: []string{"a"}, MessageSystemAttributeNames: []string{"b"}, MessageAttributeNames: []string{"c"}},
		},
		{"bytes that are not UTF-8", "Action=SendMessage&MessageBody=%FF%FEa", &sendMessageInput{outgoing: outgoing{MessageBody: "\uFFFD\uFFFDa"}}},
		{"the same action twice", "Action=PurgeQueue&Action=PurgeQueue&QueueUrl=q", &queueInput{QueueUrl: "q"}},
		{
			"what is no member", "Action=PurgeQueue&&Version=2012-11-05&Timestamp=1&Timestamp=2&AWSAccessKeyId=k&Signature=s&SignatureMethod=HmacSHA256&X-Amz-Signature=1&X-Amz-Expires=x&a.b.c.1=2&.=3&=4&QueueUrl=q",
			&queueInput{QueueUrl: "q"},
		},
		{"what is no member of an entry", "Action=TagQueue&Tag.1.Key=A&Tag.1.Value=1&Tag.1.Color=red&Tag.2.Color.1=blue", &tagQueueInput{Tags: map[string]string{"A": "1"}}},
		{"nothing but what is no member of an entry", "Action=TagQueue&Tag.1.Color=red", &tagQueueInput{}},
	}
	for _, test := range tests {
		asked, err := readQuery(test.form)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if !reflect.DeepEqual(asked.input, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.name, asked.input, test.want)
		}
	}
}

func TestQueryFormsThatAreRefused(t *testing.T) {
	t.Parallel()
	const twice, form = "MalformedInput: The parameter %s is given more than once.", "MalformedInput: The parameter %s has no value of its name's form."
	const missing = "MissingParameter: The request must contain the parameter %s."
	many := strings.Repeat("&a=", maxParameters)
	tests := []struct{ form, want string }{
		{"Action=SendMessage&MessageBody=%zz", "MalformedInput: The request has an invalid % escape."},
		{"Action=SendMessage&%=1", "MalformedInput: The request has an invalid % escape."},
		{"Action=SendMessage" + many, "MalformedInput: A request must not have more than 10000 parameters."},
		{"Action=SendMessage&Action=PurgeQueue", fmt.Sprintf(twice, "Action")},
		{"Action=PurgeQueue&QueueUrl=a&QueueUrl=a", fmt.Sprintf(twice, "QueueUrl")},
		{"Action=UntagQueue&TagKey.1=a&TagKey.01=b", fmt.Sprintf(twice, "TagKey.01")},
		{"Action=UntagQueue&TagKey=a&TagKey=b", fmt.Sprintf(twice, "TagKey")},
		{"Action=TagQueue&Tag.1.Key=a&Tag.1.Key=b", fmt.Sprintf(twice, "Tag.1.Key")},
		{"Action=TagQueue&Tag.1.Value=a&Tag.1.Value=b", fmt.Sprintf(twice, "Tag.1.Value")},
		{"Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.Id=a", fmt.Sprintf(twice, "SendMessageBatchRequestEntry.1.Id")},
		{"Action=PurgeQueue&QueueUrl.1=a", fmt.Sprintf(form, "QueueUrl.1")},
		{"Action=UntagQueue&TagKey.1.Key=a", fmt.Sprintf(form, "TagKey.1.Key")},
		{"Action=UntagQueue&TagKey.a=a", fmt.Sprintf(form, "TagKey.a")},
		{"Action=UntagQueue&TagKey.-1=a", fmt.Sprintf(form, "TagKey.-1")},
		{"Action=UntagQueue&TagKey.1000000000=a", fmt.Sprintf(form, "TagKey.1000000000")},
		{"Action=UntagQueue&TagKey.99999999999999999999=a", fmt.Sprintf(form, "TagKey.99999999999999999999")},
		{"Action=UntagQueue&TagKey.1x=a", fmt.Sprintf(form, "TagKey.1x")},
		{"Action=TagQueue&Tag.1=a", fmt.Sprintf(form, "Tag.1")},
		{"Action=TagQueue&Tag=a", fmt.Sprintf(form, "Tag")},
		{"Action=TagQueue&Tag.1.Key.1=a", fmt.Sprintf(form, "Tag.1.Key.1")},
		{"Action=TagQueue&Tag.1.Value.1=a", fmt.Sprintf(form, "Tag.1.Value.1")},
		{"Action=SendMessageBatch&SendMessageBatchRequestEntry.1=a", fmt.Sprintf(form, "SendMessageBatchRequestEntry.1")},
		{"Action=SendMessage&MessageAttribute.1.Value=a", fmt.Sprintf(form, "MessageAttribute.1.Value")},
		{"Action=TagQueue&Tag.3.Value=a", fmt.Sprintf(missing, "Tag.3.Key")},
		{"Action=TagQueue&Tag.3.Key=a", fmt.Sprintf(missing, "Tag.3.Value")},
		{"Action=SetQueueAttributes&Attribute.Name=a", fmt.Sprintf(missing, "Attribute.Value")},
		{"Action=TagQueue&Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=a&Tag.2.Value=1", "InvalidParameterValue: Value a for parameter Tag.2.Key is invalid. Reason: Must be unique."},
		{"Action=UntagQueue&TagKey.a" + strings.Repeat("b", 2000) + "=1", fmt.Sprintf(form, "TagKey.a"+strings.Repeat("b", maxShown-len("TagKey.a"))+"...")},
	}
	for _, test := range tests {
		_, err := readQuery(test.form)
		var refused *apiError
		if !errors.As(err, &refused) || refused.status != http.StatusBadRequest || refused.Error() != test.want {
			t.Errorf("%.80s:\n got %v\nwant %s", test.form, err, test.want)
		}
	}
}

// Every number and every binary value of every action is checked, wherever it stands.
func TestQueryScalarsOfEveryAction(t *testing.T) {
	t.Parallel()
	numbers, binaries := 0, 0
	for name, action := range actions {
		eachScalar(reflect.TypeOf(action.input()).Elem(), "", func(parameter string, t2 reflect.Type) {
			value, reason := "", ""
			switch t2.Kind() {
			case reflect.Int:
				numbers++
				value, reason = "1x", "Must be an integer."
			case reflect.Slice:
				binaries++
				value, reason = "A", "Must be base64."
			default:
				return
			}
			_, err := readQuery("Action=" + name + "&" + parameter + "=" + value)
			want := "InvalidParameterValue: Value " + value + " for parameter " + parameter + " is invalid. Reason: " + reason
			if err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		})
	}
	if numbers != 11 || binaries != 8 {
		t.Errorf("%d numbers, %d binary values", numbers, binaries)
	}
}

// eachScalar visits the values of an input by their names in Query.
func eachScalar(t reflect.Type, prefix string, visit func(parameter string, t reflect.Type)) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		names := strings.Split(f.Tag.Get("query"), ",")
		if names[0] == "" {
			names[0] = f.Name
		}
		name, inner := prefix+names[0], f.Type
		switch {
		case inner.Kind() == reflect.Map:
			name, inner = name+".1."+names[2], inner.Elem()
		case inner.Kind() == reflect.Slice && inner.Elem().Kind() != reflect.Uint8:
			name, inner = name+".1", inner.Elem()
		case inner.Kind() == reflect.Pointer:
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			eachScalar(inner, name+".", visit)
			continue
		}
		visit(name, inner)
	}
}

func TestPlansRefuseWhatHasNoForm(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"a map without names": struct{ A map[string]string }{},
		"a float":             struct{ A float64 }{},
		"a structure":         struct{ A struct{ B string } }{},
		"one name twice": struct {
			A string
			B string `query:"A"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			newPlan(reflect.TypeOf(value))
		}()
	}
}

func BenchmarkReadQuery(b *testing.B) {
	batch := "Action=SendMessageBatch&QueueUrl=q"
	for i := range 10 {
		batch += fmt.Sprintf("&SendMessageBatchRequestEntry.%d.Id=%d&SendMessageBatchRequestEntry.%d.MessageBody=%s", i+1, i, i+1, strings.Repeat("a", 256))
	}
	for name, form := range map[string]string{
		"send":       "Action=SendMessage&QueueUrl=q&MessageBody=" + strings.Repeat("a", 256),
		"send batch": batch,
		"receive":    "Action=ReceiveMessage&QueueUrl=q&MaxNumberOfMessages=10&AttributeName.1=All",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parameters, _ := parseForm(nil, form)
				name, _ := queryAction(parameters)
				if err := decodeQuery(parameters, actions[name].input()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
