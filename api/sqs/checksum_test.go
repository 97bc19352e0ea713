package sqs

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"slices"
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

// The checksum, compared with one that is computed as the SDKs do: they sort the
// names and write each part to a hash.
func FuzzAttributesMD5(f *testing.F) {
	f.Add("a", "String", "v", "b", "Binary.png", []byte{0, 0xff})
	f.Add("", "", "", "", "", []byte{})
	f.Add("b", "Number.int", "1", "a", "Binary", []byte("1"))
	f.Add("n", "Binaryx", "v", "n", "String.Binary", []byte(nil))
	f.Fuzz(func(t *testing.T, name, dataType, value, otherName, otherType string, data []byte) {
		attributes := map[string]service.Attribute{
			name:      {Type: dataType, Value: value, Binary: data},
			otherName: {Type: otherType, Value: value, Binary: data},
		}
		if got, want := attributesMD5(attributes), sdkMD5(attributes); got != want {
			t.Errorf("%v: got %s, want %s", attributes, got, want)
		}
	})
}

func sdkMD5(attributes map[string]service.Attribute) string {
	var names []string
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	hash := md5.New()
	write := func(part []byte) {
		_ = binary.Write(hash, binary.BigEndian, int32(len(part)))
		hash.Write(part)
	}
	for _, name := range names {
		a := attributes[name]
		write([]byte(name))
		write([]byte(a.Type))
		if bytes.Equal([]byte(a.Type), []byte("Binary")) || bytes.HasPrefix([]byte(a.Type), []byte("Binary.")) {
			hash.Write([]byte{2})
			write(a.Binary)
		} else {
			hash.Write([]byte{1})
			write([]byte(a.Value))
		}
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}
