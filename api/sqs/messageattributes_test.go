package sqs

import (
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tusq/service"
)

func TestFilterAttributes(t *testing.T) {
	t.Parallel()
	all := map[string]service.Attribute{"Help.Me": {}, "Hello": {}, "General": {}}
	tests := []struct {
		wanted []string
		want   string
	}{
		{nil, ""},
		{[]string{"All"}, "General Hello Help.Me"},
		{[]string{".*"}, "General Hello Help.Me"},
		{[]string{"*"}, "General Hello Help.Me"},
		{[]string{"Hel.*"}, "Hello Help.Me"},
		{[]string{"Help.*"}, "Help.Me"},
		{[]string{"Hello"}, "Hello"},
		{[]string{"Hel"}, ""},
		{[]string{"hello"}, ""},
		{[]string{"Hello", "Gen.*", "Hello"}, "General Hello"},
		{[]string{"AWS.", "..foo", ""}, ""},
	}
	for _, test := range tests {
		got := strings.Join(slices.Sorted(maps.Keys(filterAttributes(all, test.wanted))), " ")
		if got != test.want {
			t.Errorf("%q: got %q, want %q", test.wanted, got, test.want)
		}
	}
}

func TestParseAttributes(t *testing.T) {
	t.Parallel()
	many := make(map[string]attributeValue)
	for i := range 11 {
		many["a"+strconv.Itoa(i)] = attributeValue{DataType: "String", StringValue: new("v")}
	}
	one := func(value attributeValue) map[string]attributeValue { return map[string]attributeValue{"X": value} }
	badType := "The type of message (user) attribute 'X' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
	tests := []struct {
		name   string
		values map[string]attributeValue
		want   string
	}{
		{"string", one(attributeValue{DataType: "String", StringValue: new("v")}), ""},
		{"number with a label", one(attributeValue{DataType: "Number.int", StringValue: new("1")}), ""},
		{"binary", one(attributeValue{DataType: "Binary", BinaryValue: []byte{0}}), ""},
		{"too many", many, "Number of message attributes [11] exceeds the allowed maximum [10]."},
		{"no type", one(attributeValue{StringValue: new("v")}), "Message (user) attribute 'X' must contain a non-empty attribute type."},
		{"unknown type", one(attributeValue{DataType: "Stringy", StringValue: new("v")}), badType},
		{"no string", one(attributeValue{DataType: "String"}), "Message (user) attribute 'X' must contain a non-empty value of type 'String'."},
		{"empty string", one(attributeValue{DataType: "String", StringValue: new("")}), "Message (user) attribute 'X' must contain a non-empty value of type 'String'."},
		{"empty number", one(attributeValue{DataType: "Number.int", StringValue: new("")}), "Message (user) attribute 'X' must contain a non-empty value of type 'Number'."},
		{"empty binary", one(attributeValue{DataType: "Binary", BinaryValue: []byte{}}), "Message (user) attribute 'X' must contain a non-empty value of type 'Binary'."},
		{"string for a binary", one(attributeValue{DataType: "Binary", StringValue: new("v")}), "Message (user) attribute 'X' must contain a non-empty value of type 'Binary'."},
		{"both", one(attributeValue{DataType: "String", StringValue: new("v"), BinaryValue: []byte{1}}), "Message (user) attribute 'X' must have one value, not both a string and a binary one."},
		{"list", one(attributeValue{DataType: "String", StringListValues: []string{"v"}}), "Message (user) attribute 'X' has a list of values, which is not supported."},
	}
	for _, test := range tests {
		got := ""
		if _, err := parseAttributes(test.values); err != nil {
			got = err.message
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestTraceHeader(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"Root=1-2-3;Sampled=1":          "Root=1-2-3;Sampled=1",
		"":                              "",
		"Root=\xff":                     "",
		"Root=\x00":                     "",
		strings.Repeat("x", maxTrace+1): "",
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("X-Amzn-Trace-Id", value)
		if got := traceHeader(r); got != want {
			t.Errorf("%.30q: got %q", value, got)
		}
	}
}
