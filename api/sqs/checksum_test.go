package sqs

import (
	"testing"

	"tusq/service"
)

func TestAttributesMD5(t *testing.T) {
	t.Parallel()
	text := func(value string) service.Attribute { return service.Attribute{Type: "String", Value: value} }
	tests := []struct {
		name       string
		attributes map[string]service.Attribute
		want       string
	}{
		{"none", nil, ""},
		{"string", map[string]service.Attribute{"test-key": text("test-value")}, "befa18540a897f7d022bf07057754a03"},
		{"two strings", map[string]service.Attribute{
			"test-key-alt": text("test-value-alt"), "test-key": text("test-value"),
		}, "2256c3b617e2b4b3ae4f2d455dcf54d0"},
		{"number", map[string]service.Attribute{
			"timestamp": {Type: "Number", Value: "1493147359900"},
		}, "235c5c510d26fb653d073faed50ae77c"},
		{"trace header", map[string]service.Attribute{
			attributeTrace: text("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"),
		}, "5ae4d5d7636402d80f4eb6d213245a88"},
		{"binary with a label", map[string]service.Attribute{
			"b": {Type: "Binary.png", Binary: []byte{0, 1, 0xff}},
		}, "4268329e3d0b2552a764cd4ae1e03423"},
	}
	for _, test := range tests {
		if got := attributesMD5(test.attributes); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestBodyMD5(t *testing.T) {
	t.Parallel()
	if got, want := bodyMD5("hello world"), "5eb63bbbe01eeed093cb22bb8f5acdc3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
