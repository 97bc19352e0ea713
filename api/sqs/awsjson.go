package sqs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"tusq/api/auth"
	"tusq/internal/buffers"
	"tusq/internal/telemetry"
	"tusq/service"
)

// jsonType is the media type of AWS JSON 1.0. Requests of 1.1 differ in nothing.
const jsonType = "application/x-amz-json-1.0"

// jsonTypeHeader is the answers' Content-Type. All share it.
var jsonTypeHeader = []string{jsonType}

// jsonCodec is AWS JSON.
type jsonCodec struct{ signatures *auth.Signatures }

func (j jsonCodec) read(r *http.Request) (asked, error) {
	if r.Method != http.MethodPost {
		return asked{}, &apiError{kind: methodNotAllowed, message: "Actions are requested by POST."}
	}
	if err := checkEncoding(r); err != nil {
		return asked{}, err
	}
	name := targetAction(r)
	action, err := findAction(name)
	if err != nil {
		return asked{}, err
	}
	telemetry.SetAction(r.Context(), name)
	input, err := j.decode(r, action)
	if err != nil {
		return asked{}, err
	}
	return asked{action, name, input}, nil
}

// isJSON tells whether the request's body is of AWS JSON.
func isJSON(r *http.Request) bool {
	switch mediaType(r) {
	case jsonType, "application/x-amz-json-1.1":
		return true
	}
	return false
}

// mediaType returns the request's Content-Type without parameters, in lower
// case; empty where there is none, and itself where it cannot be parsed.
func mediaType(r *http.Request) string {
	header := r.Header.Get("Content-Type")
	if header == jsonType { // nearly always, and parsing makes a map
		return header
	}
	if parsed, _, err := mime.ParseMediaType(header); err == nil {
		return parsed
	}
	return header
}

// checkEncoding refuses compressed bodies.
func checkEncoding(r *http.Request) error {
	encoding := r.Header.Get("Content-Encoding")
	if encoding == "" || strings.EqualFold(encoding, "identity") {
		return nil
	}
	return errorf(unsupportedMediaType, "The Content-Encoding %s is not supported.", shown(encoding))
}

// targetAction returns the name of the action that a JSON request asks for.
func targetAction(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	if name, found := strings.CutPrefix(target, "AmazonSQS."); found {
		return name
	}
	return target
}

// decode reads the request's body, authenticates the request, and makes the body an input of the action. As SQS does, it
// ignores members that it does not know and replaces invalid UTF-8 by U+FFFD.
func (j jsonCodec) decode(r *http.Request, action action) (any, error) {
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	if err := buffers.ReadBody(buffer, r); err != nil {
		return nil, bodyError(err)
	}
	if err := j.signatures.Identify(r, buffer.Bytes()); err != nil {
		return nil, err
	}
	input := action.input()
	if buffer.Len() == 0 {
		return input, nil
	}
	if hot, ok := input.(jsonInput); ok {
		if readHot(buffer.String(), hot) {
			return input, nil
		}
		input = action.input()
	}
	if isDeep(buffer.Bytes()) {
		return nil, errorf(serialization, "The request is nested in more than %d levels.", maxDepth)
	}
	if err := json.Unmarshal(buffer.Bytes(), input); err != nil {
		return nil, syntaxError(err)
	}
	return input, nil
}

// bodyError says why a body could not be read: it is too long, or the client
// has broken off.
func bodyError(err error) error {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return errorf(requestTooLarge, "The request must not be longer than %d bytes.", tooLong.Limit)
	}
	if refused, ok := errors.AsType[*service.Error](err); ok { // there is no room for more
		return refused
	}
	return &apiError{kind: serialization, message: "The request's body could not be read.", cause: err}
}

// syntaxError says what is wrong with a body in the words of JSON, not of Go.
func syntaxError(err error) error {
	var wrongType *json.UnmarshalTypeError
	var badBase64 base64.CorruptInputError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field == "":
		return errorf(serialization, "The request must be a JSON object, not %s.", shown(wrongType.Value))
	case errors.As(err, &wrongType):
		return errorf(serialization, "The member %s must be %s, not %s.",
			shown(wrongType.Field[strings.LastIndexByte(wrongType.Field, '.')+1:]), jsonKind(wrongType.Type), shown(wrongType.Value))
	case errors.As(err, &badBase64):
		return errorf(serialization, "A binary value is not valid base64.")
	}
	return errorf(serialization, "The request is not valid JSON.")
}

func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a base64 string"
		}
		return "a list"
	}
	return "an object"
}

// writeOutput writes an action's output. Without one the body is empty.
func (jsonCodec) writeOutput(w http.ResponseWriter, _ *http.Request, _ string, output any) error {
	if output == nil {
		return send(w, http.StatusOK, jsonTypeHeader, nil)
	}
	hot, ok := output.(jsonOutput)
	if !ok {
		body, err := encodeJSON(output)
		if err != nil {
			return err
		}
		return send(w, http.StatusOK, jsonTypeHeader, body)
	}
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	body := hot.appendJSON(buffer.AvailableBuffer())
	*buffer = *bytes.NewBuffer(body) // it may have grown
	return send(w, http.StatusOK, jsonTypeHeader, body)
}

// writeError writes an error. SDKs read its modeled name from the body and its
// Query code from the header; some fail without the header.
func (jsonCodec) writeError(w http.ResponseWriter, r *http.Request, e *apiError) {
	body, err := encodeJSON(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.name, e.message})
	if err != nil {
		telemetry.SetError(r.Context(), err)
	}
	w.Header().Set("x-amzn-query-error", e.code+";"+e.fault())
	setErrorHeaders(w, e)
	_ = send(w, e.status, jsonTypeHeader, body)
}

func encodeJSON(value any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

// blob is a binary value: base64 in JSON, and not, as bytes may be, a list of numbers.
type blob []byte

// UnmarshalJSON reads base64.
func (b *blob) UnmarshalJSON(encoded []byte) error {
	if encoded[0] == '[' {
		return &json.UnmarshalTypeError{Value: "array", Type: reflect.TypeFor[[]byte]()}
	}
	return json.Unmarshal(encoded, (*[]byte)(b))
}
