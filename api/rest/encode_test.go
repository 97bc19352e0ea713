package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// full sets every field of v to something, and different ones to different things, so
// that a field which an encoder forgets, or takes for another, is found.
func full(v reflect.Value, next *int) {
	*next++
	switch v.Kind() {
	case reflect.String:
		v.SetString("text " + strconv.Itoa(*next))
	case reflect.Int:
		v.SetInt(int64(*next))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem(), next)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		full(v.Index(0), next)
		full(v.Index(2), next)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, name := range []string{"b", "a", "\"c\""} {
			element := reflect.New(v.Type().Elem()).Elem()
			full(element, next)
			v.SetMapIndex(reflect.ValueOf(name), element)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, *next*1000, time.UTC)))
			return
		}
		for i := range v.NumField() {
			full(v.Field(i), next)
		}
	default:
		panic("no value for " + v.Type().String())
	}
}

// Hot answers are what encoding/json makes of them.
func TestHotAnswers(t *testing.T) {
	t.Parallel()
	for _, answer := range []any{new(Sent), new(SendResults), new(Results), new(ReceivedMessages)} {
		v := reflect.ValueOf(answer).Elem()
		if v.Kind() == reflect.Struct && v.Field(0).Kind() == reflect.Slice {
			v.Field(0).Set(reflect.MakeSlice(v.Field(0).Type(), 0, 0)) // [], as the handlers make it
		}
		wantEncoded(t, v.Interface())
		next := 0
		full(v, &next)
		wantEncoded(t, v.Interface())
	}
}

func wantEncoded(t *testing.T, answer any) {
	t.Helper()
	if _, hot := answer.(appender); !hot {
		t.Fatalf("%T is not hot", answer)
	}
	buffer := new(bytes.Buffer)
	if err := encode(buffer, answer); err != nil {
		t.Fatal(err)
	}
	if want := encoded(t, answer); buffer.String() != want {
		t.Errorf("%T: got\n%swant\n%s", answer, buffer, want)
	}
}

// encoded returns what encoding/json makes of value.
func encoded(t *testing.T, value any) string {
	t.Helper()
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// Any text is read back from its JSON as it was, by this package and by others.
func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "eight by", "\"", "1234567\"", "12345678\\", "a\x00b\x1f \x7f", "\b\f\n\r\t<&>", "é\u2028😀", "\xff\xfe half \xf0\x9f",
		strings.Repeat("x", 100) + "\n" + strings.Repeat("ü", 9), "\x80\xa2\xdc\x9f", "!!!!!!!!", "[]^_~{}\x21",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := appendString(nil, text)
		var theirs string
		if err := json.Unmarshal(quoted, &theirs); err != nil {
			t.Fatalf("%q became %q: %v", text, quoted, err)
		}
		var ours SendMessage
		if err := decodeJSON(append(append([]byte(`{"body":`), quoted...), '}'), &ours); err != nil {
			t.Fatalf("%q became %q: %v", text, quoted, err)
		}
		if want := strings.ToValidUTF8(text, "\ufffd"); theirs != want || ours.Body != want {
			t.Fatalf("%q became %q, read as %q and %q", text, quoted, theirs, ours.Body)
		}
	})
}

// Eight bytes at a time find what one byte at a time does.
func FuzzPlain(f *testing.F) {
	f.Add([]byte("12345678\"2345678"))
	f.Add([]byte("1234567\\12345678\x1f"))
	f.Add([]byte("\x80\xff\xa2\xdc\x9f !#[]\x1f\"\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		want := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
		if want < 0 {
			want = len(text)
		}
		if got := plain(text); got != want || plain(string(text)) != want {
			t.Fatalf("%q: got %d, want %d", text, got, want)
		}
	})
}

// discard is a connection that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) WriteHeader(int)             {}
func (discard) Write(p []byte) (int, error) { return len(p), nil }

// The bounds leave no room for one allocation for each message: who adds one here adds it
// to every message of every user.
func TestCodecAllocations(t *testing.T) {
	const messages = 100
	one := `{"body":"` + strings.Repeat("x", 256) + `"}`
	body, batch := []byte(one), []byte(`{"messages":[`+strings.Repeat(one+",", messages-1)+one+`]}`)
	var received ReceivedMessages
	received.Messages = make([]ReceivedMessage, messages)
	w := discard{http.Header{}}
	for name, test := range map[string]struct {
		most float64
		do   func() error
	}{
		"decode one":  {3, func() error { return decodeJSON(body, new(sendRequest)) }},
		"decode many": {messages + 11, func() error { return decodeJSON(batch, new(sendRequest)) }},
		"sent":        {2, func() error { return writeJSON(w, http.StatusCreated, Sent{ID: "id"}) }},
		"received":    {4, func() error { return writeJSON(w, http.StatusOK, received) }},
	} {
		got := testing.AllocsPerRun(100, func() {
			if err := test.do(); err != nil {
				t.Fatal(err)
			}
		})
		if got > test.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, test.most)
		}
	}
}
