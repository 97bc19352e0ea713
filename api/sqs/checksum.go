package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"tusq/internal/buffers"
	"tusq/service"
)

// The transport types of attribute values in a checksum.
const (
	stringTransport = 1
	binaryTransport = 2
)

// bodyMD5 returns the checksum of a message's body, by which clients see that
// it has arrived as it was sent.
func bodyMD5(body string) string {
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	buffer.WriteString(body) // a conversion to bytes would be allocated
	return md5Text(buffer.Bytes())
}

func md5Text(data []byte) string {
	sum := md5.Sum(data)
	var text [2 * md5.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// attributesMD5 returns the checksum of message attributes, or "" if there are
// none: over all in the order of their names, name, type and value, each after
// its length in four bytes, the value also after its transport type in one.
func attributesMD5(attributes map[string]service.Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var encoded []byte
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		attribute := attributes[name]
		encoded = appendSized(encoded, name)
		encoded = appendSized(encoded, attribute.Type)
		if isBinary(attribute.Type) {
			encoded = appendSized(append(encoded, binaryTransport), string(attribute.Binary))
			continue
		}
		encoded = appendSized(append(encoded, stringTransport), attribute.Value)
	}
	return md5Text(encoded)
}

func appendSized(encoded []byte, value string) []byte {
	encoded = binary.BigEndian.AppendUint32(encoded, uint32(len(value)))
	return append(encoded, value...)
}

// baseType returns an attribute's type without its label.
func baseType(dataType string) string {
	base, _, _ := strings.Cut(dataType, ".")
	return base
}

func isBinary(dataType string) bool { return baseType(dataType) == "Binary" }
