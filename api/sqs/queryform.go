package sqs

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"tusq/internal/buffers"
)

// maxParameters bounds what a request makes the parser hold. A full batch has
// about 400.
const maxParameters = 10_000

// parameter is one of a form's.
type parameter struct {
	name, value string
}

// readParameters returns the parameters of the query string and of a POST's body,
// in their order, once the request is authenticated.
func (q queryCodec) readParameters(r *http.Request) ([]parameter, error) {
	body, err := q.readForm(r)
	if err != nil {
		return nil, err
	}
	parameters, err := parseForm(nil, r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return parseForm(parameters, body)
}

// readForm returns the body of a POST, of which alone it is read, of whoever is known then.
func (q queryCodec) readForm(r *http.Request) (string, error) {
	if r.Method != http.MethodPost {
		return "", q.signatures.Identify(r, nil)
	}
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	if err := buffers.ReadBody(buffer, r); err != nil {
		return "", bodyError(err)
	}
	if err := q.signatures.Identify(r, buffer.Bytes()); err != nil {
		return "", err
	}
	return buffer.String(), nil
}

// parseForm adds a form's parameters to a list.
func parseForm(list []parameter, form string) ([]parameter, error) {
	for form != "" {
		var pair string
		pair, form, _ = strings.Cut(form, "&")
		if pair == "" {
			continue
		}
		if len(list) == maxParameters {
			return nil, errorf(malformedInput, "A request must not have more than %d parameters.", maxParameters)
		}
		name, value, _ := strings.Cut(pair, "=")
		name, badName := unescape(name)
		if badName != nil {
			return nil, badName
		}
		value, badValue := unescape(value)
		if badValue != nil {
			return nil, badValue
		}
		list = append(list, parameter{name, value})
	}
	return list, nil
}

// unescape undoes the escapes of a form. Like the JSON decoder it replaces each
// byte that is not of valid UTF-8 by U+FFFD.
func unescape(escaped string) (string, error) {
	text, err := url.QueryUnescape(escaped)
	if err != nil {
		return "", &apiError{kind: malformedInput, message: "The request has an invalid % escape.", cause: err}
	}
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	return text, nil
}
