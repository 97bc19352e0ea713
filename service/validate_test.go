package service

import (
	"strings"
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "-0.0": true, "1": true, "+1.5": true, ".5": true, "5.": true, "1e126": true, "-10.0e125": true, "2e126": false, "1e-128": true, "1E+3": true,
		strings.Repeat("9", 38): true, "0." + strings.Repeat("0", 50) + strings.Repeat("9", 38): true, "1" + strings.Repeat("0", 100): true,
		"": false, "x": false, "1 ": false, "--1": false, "1e": false, "1e127": false, "1e-129": false, "0x1": false, "NaN": false, "1e9999": false,
		strings.Repeat("9", 39): false, "1." + strings.Repeat("1", 38): false,
	} {
		if got := validNumber(text); got != want {
			t.Errorf("validNumber(%q) = %v", text, got)
		}
	}
}

func TestText(t *testing.T) {
	for _, text := range []string{"", "\t\n\r", "\u007f\u0080", "\uD7FF\uE000\uFFFD", "\U00010000\U0010FFFF"} {
		if err := validText("body", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"\x00", "a\x08", "\x0b", "\x1f", "\uFFFE", "\uFFFF", "\xff", "\xed\xa0\x80", "x\xc3"} {
		if err := validText("body", text); ErrorCode(err) != CodeInvalidMessage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	good := SendMessage{Body: "x", Attributes: map[string]Attribute{
		"a.b-c_1": {Type: "String", Value: "v"}, "ümlaut": {Type: "Number.int", Value: "1"}, "bin": {Type: "Binary.png", Binary: []byte{0}},
	}}
	if err := good.valid(DefaultSettings()); err != nil {
		t.Error(err)
	}
	for name, a := range map[string]Attribute{
		"":                       {Type: "String", Value: "v"},
		"AWS.x":                  {Type: "String", Value: "v"},
		"amazon.x":               {Type: "String", Value: "v"},
		".x":                     {Type: "String", Value: "v"},
		"x.":                     {Type: "String", Value: "v"},
		"x..y":                   {Type: "String", Value: "v"},
		"x y":                    {Type: "String", Value: "v"},
		strings.Repeat("x", 257): {Type: "String", Value: "v"},
		"type":                   {Type: "Text", Value: "v"},
		"notype":                 {Value: "v"},
		"label":                  {Type: "String.", Value: "v"},
		"badlabel":               {Type: "String.\x00", Value: "v"},
		"longtype":               {Type: "String." + strings.Repeat("x", 256), Value: "v"},
		"empty":                  {Type: "String"},
		"nul":                    {Type: "String", Value: "\x00"},
		"number":                 {Type: "Number", Value: "one"},
		"binary":                 {Type: "Binary", Value: "text"},
	} {
		m := SendMessage{Body: "x", Attributes: map[string]Attribute{name: a}}
		if err := m.valid(DefaultSettings()); ErrorCode(err) != CodeInvalidAttribute && ErrorCode(err) != CodeInvalidMessage {
			t.Errorf("attribute %q of %+v: %v", name, a, err)
		}
	}
}

func TestSizeCountsAttributes(t *testing.T) {
	m := SendMessage{Body: strings.Repeat("x", 1000), Attributes: map[string]Attribute{"name": {Type: "String", Value: "value"}}}
	if m.size() != 1000+4+6+5 {
		t.Errorf("size %d", m.size())
	}
	if err := m.valid(Settings{MaxMessageSize: m.size()}); err != nil {
		t.Error(err)
	}
	if err := m.valid(Settings{MaxMessageSize: m.size() - 1}); ErrorCode(err) != CodeMessageTooLarge {
		t.Errorf("a byte too much: %v", err)
	}
}

func TestQueueChanges(t *testing.T) {
	for field, change := range map[string]QueueChange{
		"visibility_timeout":       {VisibilityTimeout: new(MaxVisibility + time.Second)},
		"delay_seconds":            {Delay: new(-time.Second)},
		"retention_seconds":        {Retention: new(MinRetention - time.Second)},
		"wait_seconds":             {ReceiveWait: new(1500 * time.Millisecond)},
		"max_message_size":         {MaxMessageSize: new(1023)},
		"dead_letter.queue":        {DeadLetter: &DeadLetter{Queue: "no name", MaxReceives: 1}},
		"dead_letter.max_receives": {DeadLetter: &DeadLetter{Queue: "dead", MaxReceives: 1001}},
		"tags":                     {Tags: map[string]string{"a\nb": "c"}},
	} {
		if err := change.valid(false); ErrorCode(err) != CodeInvalidParameter || ErrorField(err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	limits := QueueChange{VisibilityTimeout: new(MaxVisibility), Delay: new(MaxDelay), Retention: new(MaxRetention),
		ReceiveWait: new(MaxQueueWait), MaxMessageSize: new(MaxMessageBytes), DeadLetter: &DeadLetter{}, Tags: map[string]string{"k é": ""}}
	if err := limits.valid(false); err != nil {
		t.Error(err)
	}
}

func TestReceipts(t *testing.T) {
	s := newSealer([]byte("key"))
	want := receipt{queueID: 7, id: MessageID{1, 2, 3}, lease: -9}
	text := s.seal(want)
	if got, err := s.open(text); err != nil || got != want {
		t.Errorf("opened %+v, %v", got, err)
	}
	if _, err := (newSealer([]byte("other"))).open(text); ErrorCode(err) != CodeReceiptInvalid {
		t.Errorf("another deployment's: %v", err)
	}
	for i := range text {
		forged := []byte(text)
		forged[i] ^= 1
		if _, err := s.open(string(forged)); ErrorCode(err) != CodeReceiptInvalid {
			t.Errorf("changed at %d: %v", i, err)
		}
	}
}
