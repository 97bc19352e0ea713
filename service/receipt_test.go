package service

import (
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzReceipts opens anything: what opens was sealed, byte for byte, by the same key.
func FuzzReceipts(f *testing.F) {
	s, other := newSealer([]byte("a key")), newSealer([]byte("another key"))
	sealed := []receipt{{}, {queueID: 1, id: MessageID{7}, lease: -1}, {queueID: 1 << 62, lease: 9, groupID: strings.Repeat("g", MaxGroupID)}}
	for _, r := range sealed {
		f.Add(s.seal(r))
		f.Add(other.seal(r))
		f.Add(strings.TrimRight(s.seal(r), "A") + "=")
	}
	f.Add("")
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, maxReceipt+1)))
	f.Fuzz(func(t *testing.T, text string) {
		opened, err := s.open(text)
		if err != nil {
			if opened != (receipt{}) || ErrorCode(err) != CodeReceiptInvalid {
				t.Errorf("%q is refused with %v and opens as %+v", text, err, opened)
			}
			return
		}
		if s.seal(opened) != text {
			t.Errorf("%q opens as %+v, whose receipt is %q", text, opened, s.seal(opened))
		}
		if _, err := other.open(text); err == nil {
			t.Errorf("%q opens with two keys", text)
		}
	})
}

func TestReceiptsRoundTrip(t *testing.T) {
	s := newSealer([]byte("a key"))
	for _, group := range []string{"", "customer-7", strings.Repeat("~", MaxGroupID)} {
		want := receipt{queueID: 42, id: MessageID{1, 2, 3}, lease: 1 << 60, groupID: group}
		text := s.seal(want)
		if got, err := s.open(text); err != nil || got != want {
			t.Errorf("sealed %+v, opened %+v, %v", want, got, err)
		}
		if len(text) > 1024 {
			t.Errorf("a receipt has %d characters, SQS allows 1024", len(text))
		}
		for i := range text {
			forged := text[:i] + string(text[i]^1) + text[i+1:]
			if _, err := s.open(forged); err == nil {
				t.Errorf("changed at %d it still opens", i)
			}
		}
	}
}
