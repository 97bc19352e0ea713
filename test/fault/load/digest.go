package load

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strings"
)

// attribute is a message attribute. Messages have them in the order of their names.
type attribute struct {
	name  string
	kind  string // String, Number or Binary, perhaps with a label after a period
	value string // of Binary: in base64, as it goes over both surfaces
}

func (a attribute) binary() bool {
	base, _, _ := strings.Cut(a.kind, ".")
	return base == "Binary"
}

// digest is the same for the same body and attributes alone.
func digest(body string, attributes []attribute) string {
	b := make([]byte, 0, len(body)+256)
	b = appendSized(b, body)
	for _, a := range attributes {
		b = appendSized(appendSized(appendSized(b, a.name), a.kind), a.value)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

func appendSized(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

// receiptHash is short, and the same for the same receipt.
func receiptHash(receipt string) string {
	hash := fnv.New64a()
	hash.Write([]byte(receipt))
	return hex.EncodeToString(hash.Sum(nil))
}

// bodyMD5 is the checksum of a body as SQS defines it.
func bodyMD5(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// attributesMD5 is the checksum of message attributes as SQS defines it; "" of none.
func attributesMD5(attributes []attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	for _, a := range attributes {
		b = appendSized(appendSized(b, a.name), a.kind)
		if a.binary() {
			raw, _ := base64.StdEncoding.DecodeString(a.value) // what is no base64 has no right checksum either
			b = appendSized(append(b, 2), string(raw))
			continue
		}
		b = appendSized(append(b, 1), a.value)
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}
