package sqs

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestXMLText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		"plain":                        "plain",
		`<a href="x">&amp;'</a>`:       "&lt;a href=&quot;x&quot;&gt;&amp;amp;'&lt;/a&gt;",
		"a\r\nb\tc":                    "a&#xD;\nb\tc",
		"]]>":                          "]]&gt;",
		"\x00\x08\x1f\x7f":             "\uFFFD\uFFFD\uFFFD\x7f",
		"\uFFFE\uFFFF\uFFFD\U0001F600": "\uFFFD\uFFFD\uFFFD\U0001F600",
		"\xff\xed\xa0\x80z\xc3":        "\uFFFD\uFFFD\uFFFD\uFFFDz\uFFFD",
		"é":                            "é",
	} {
		if got := string(appendEscaped(nil, text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// What is written can be parsed, and gives the text back but for what XML cannot hold.
func FuzzXML(f *testing.F) {
	for _, text := range []string{"", "a", "<>&\"'\r\n\t", "]]>", "\x00\xff\uFFFE", "é\U0001F600"} {
		f.Add(text, "key", []byte(text))
	}
	f.Fuzz(func(t *testing.T, text, key string, data []byte) {
		output := &receiveMessageOutput{Messages: []message{{
			Body:              text,
			Attributes:        map[string]string{key: text},
			MessageAttributes: map[string]attributeValue{key: {DataType: text, StringValue: &text, BinaryValue: data}},
		}}}
		w := httptest.NewRecorder()
		if err := (queryCodec{}).writeOutput(w, httptest.NewRequest(http.MethodPost, "/", nil), "ReceiveMessage", output); err != nil {
			t.Fatal(err)
		}
		root, err := parseXML(w.Body.String())
		if err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		m := root.children[0].named("Message")[0]
		want, wantKey := held(text), held(key)
		entry := m.named("Attribute")[0]
		value := m.named("MessageAttribute")[0].named("Value")[0]
		if m.named("Body")[0].text != want || entry.named("Name")[0].text != wantKey || entry.named("Value")[0].text != want ||
			value.named("StringValue")[0].text != want || value.named("DataType")[0].text != want {
			t.Errorf("%q and %q were written as %s", text, key, w.Body)
		}
		if binaries := value.named("BinaryValue"); len(binaries) != min(len(data), 1) {
			t.Errorf("%d binary values of %d bytes", len(binaries), len(data))
		}

		w = httptest.NewRecorder()
		queryCodec{}.writeError(w, httptest.NewRequest(http.MethodPost, "/", nil), invalidValue(text, key, "No."))
		if _, err := parseXML(w.Body.String()); err != nil {
			t.Errorf("%v in %s", err, w.Body)
		}
	})
}

// held returns what XML 1.0 can hold of a text: see its production Char.
func held(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, width := utf8.DecodeRuneInString(text)
		text = text[width:]
		switch {
		case r == '\t' || r == '\n' || r == '\r',
			r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
			b.WriteRune(r)
		default:
			b.WriteRune('\uFFFD')
		}
	}
	return b.String()
}

func BenchmarkWriteReceive(b *testing.B) {
	output := new(receiveMessageOutput)
	for range 10 {
		output.Messages = append(output.Messages, message{
			MessageId: strings.Repeat("i", 36), ReceiptHandle: strings.Repeat("r", 80), MD5OfBody: strings.Repeat("5", 32),
			Body: strings.Repeat("a", 256), Attributes: map[string]string{"SenderId": "000000000000", "SentTimestamp": "1700000000000"},
		})
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for name, codec := range map[string]codec{"query": queryCodec{}, "json": jsonCodec{}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := codec.writeOutput(blank{http.Header{}}, r, "ReceiveMessage", output); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// blank is a connection that takes everything.
type blank struct{ header http.Header }

func (w blank) Header() http.Header         { return w.header }
func (w blank) WriteHeader(int)             {}
func (w blank) Write(p []byte) (int, error) { return len(p), nil }
