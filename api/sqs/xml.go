package sqs

import (
	"encoding/base64"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"tusq/internal/buffers"
	"tusq/internal/telemetry"
)

// queryNamespace is the Query protocol's XML namespace.
const queryNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"

const xmlType = "text/xml"

// xmlBuffers holds the bytes of answers, for they are written by every receive.
var xmlBuffers = sync.Pool{New: func() any { return new([]byte) }}

// sendXML writes an answer whose body write makes.
func sendXML(w http.ResponseWriter, status int, write func([]byte) []byte) error {
	buffer := xmlBuffers.Get().(*[]byte)
	body := write((*buffer)[:0])
	err := send(w, status, []string{xmlType}, body)
	if cap(body) <= buffers.MaxKept {
		*buffer = body
		xmlBuffers.Put(buffer)
	}
	return err
}

// writeOutput writes an action's output. Without one there is no result element.
func (queryCodec) writeOutput(w http.ResponseWriter, r *http.Request, action string, output any) error {
	if wantsJSON(r) {
		return sendQueryJSON(w, r, action, output)
	}
	requestID := telemetry.RequestID(r.Context())
	return sendXML(w, http.StatusOK, func(b []byte) []byte {
		b = append(b, "<"+action+`Response xmlns="`+queryNamespace+`">`...)
		b = appendResult(b, action, output)
		b = append(b, "<ResponseMetadata>"...)
		b = appendText(b, "RequestId", requestID)
		return append(b, "</ResponseMetadata></"+action+"Response>"...)
	})
}

func appendResult(b []byte, action string, output any) []byte {
	if output == nil {
		return b
	}
	b = append(b, "<"+action+"Result>"...)
	begin := len(b)
	value := reflect.ValueOf(output).Elem()
	b = planOf(value.Type()).append(b, value, action)
	if len(b) == begin {
		return append(b[:begin-1], "/>"...)
	}
	return append(b, "</"+action+"Result>"...)
}

// writeError writes an error. The protocol is the older one, and its word for a
// queue that is not there speaks of its age.
func (queryCodec) writeError(w http.ResponseWriter, r *http.Request, e *apiError) {
	setErrorHeaders(w, e)
	message := e.message
	if e.kind == queueDoesNotExist && message == errNoQueue.message {
		message = "The specified queue does not exist for this wsdl version."
	}
	if wantsJSON(r) {
		_ = sendQueryJSONError(w, r, e, message)
		return
	}
	requestID := telemetry.RequestID(r.Context())
	_ = sendXML(w, e.status, func(b []byte) []byte {
		if e == errNoAction {
			return append(b, "<UnknownOperationException/>"...)
		}
		b = append(b, `<ErrorResponse xmlns="`+queryNamespace+`"><Error>`...)
		b = appendText(b, "Type", e.fault())
		b = appendText(b, "Code", e.code)
		b = appendText(b, "Message", message)
		b = append(b, "<Detail/></Error>"...)
		b = appendText(b, "RequestId", requestID)
		return append(b, "</ErrorResponse>"...)
	})
}

// append adds a struct's members as elements.
func (p *plan) append(b []byte, value reflect.Value, action string) []byte {
	for _, f := range p.fields {
		member := value.FieldByIndex(f.index)
		switch f.form {
		case formList:
			b = f.appendList(b, member, action)
		case formMap:
			b = f.appendMap(b, member, action)
		default:
			b = f.appendSingle(b, member, action)
		}
	}
	return b
}

func (f *field) appendSingle(b []byte, value reflect.Value, action string) []byte {
	if f.omitEmpty && (value.IsZero() || f.scalar == scalarBinary && value.Len() == 0) {
		return b
	}
	if f.pointer {
		if value.IsNil() {
			return b
		}
		value = value.Elem()
	}
	return f.appendElement(b, f.elementName(action), value, action)
}

func (f *field) appendList(b []byte, value reflect.Value, action string) []byte {
	name := f.elementName(action)
	for i := range value.Len() {
		b = f.appendElement(b, name, value.Index(i), action)
	}
	return b
}

// appendMap adds a map's entries in the order of their keys, so that equal answers
// are equal byte for byte. Most maps hold strings, and need no reflection.
func (f *field) appendMap(b []byte, value reflect.Value, action string) []byte {
	if texts, ok := value.Interface().(map[string]string); ok {
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			b = appendTag(b, "<", f.name)
			b = appendText(b, f.key, key)
			b = appendText(b, f.value, texts[key])
			b = appendTag(b, "</", f.name)
		}
		return b
	}
	keys := value.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		b = appendTag(b, "<", f.name)
		b = appendText(b, f.key, key.String())
		b = f.appendElement(b, f.value, value.MapIndex(key), action)
		b = appendTag(b, "</", f.name)
	}
	return b
}

func (f *field) elementName(action string) string {
	if f.afterName {
		return action + f.name
	}
	return f.name
}

func (f *field) appendElement(b []byte, name string, value reflect.Value, action string) []byte {
	b = appendTag(b, "<", name)
	switch f.scalar {
	case scalarText:
		b = appendEscaped(b, value.String())
	case scalarInteger:
		b = strconv.AppendInt(b, value.Int(), 10)
	case scalarBoolean:
		b = strconv.AppendBool(b, value.Bool())
	case scalarBinary:
		b = base64.StdEncoding.AppendEncode(b, value.Bytes())
	case scalarStruct:
		b = f.plan.append(b, value, action)
	}
	return appendTag(b, "</", name)
}

func appendText(b []byte, name, value string) []byte {
	b = appendTag(b, "<", name)
	b = appendEscaped(b, value)
	return appendTag(b, "</", name)
}

func appendTag(b []byte, open, name string) []byte {
	b = append(b, open...)
	b = append(b, name...)
	return append(b, '>')
}

// appendEscaped adds text as SQS escapes it: also quotes, and carriage returns,
// which a parser would otherwise make line feeds. What XML cannot hold, which
// occurs in errors that repeat their request, becomes U+FFFD.
func appendEscaped(b []byte, value string) []byte {
	done := 0
	for i := 0; i < len(value); {
		if plainXML[value[i]] {
			i++
			continue
		}
		escape, width := escapeOf(value[i:])
		if escape != "" {
			b = append(append(b, value[done:i]...), escape...)
			done = i + width
		}
		i += width
	}
	return append(b, value[done:]...)
}

// plainXML tells of each byte whether it is a character that needs no escape.
var plainXML = func() (plain [256]bool) {
	for c := range utf8.RuneSelf {
		plain[c] = c >= ' ' || c == '\t' || c == '\n'
	}
	for _, c := range `&<>"` {
		plain[c] = false
	}
	return plain
}()

// escapeOf returns the escape of the first character of value, or "" if it needs
// none, and the character's width in bytes.
func escapeOf(value string) (escape string, width int) {
	switch c := value[0]; {
	case c == '&':
		return "&amp;", 1
	case c == '<':
		return "&lt;", 1
	case c == '>':
		return "&gt;", 1
	case c == '"':
		return "&quot;", 1
	case c == '\r':
		return "&#xD;", 1
	case c < utf8.RuneSelf:
		return "\uFFFD", 1
	}
	r, width := utf8.DecodeRuneInString(value)
	if (r == utf8.RuneError && width == 1) || r == '\uFFFE' || r == '\uFFFF' {
		return "\uFFFD", width
	}
	return "", width
}
