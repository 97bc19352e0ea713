package rest

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"tusq/internal/buffers"
	"tusq/service"
)

const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
	typeText    = "text/plain"
)

// decodeBody reads a request's JSON body into target (see decodeJSON).
func decodeBody(r *http.Request, target any) error {
	return withBody(r, func(body []byte) error {
		if len(body) == 0 {
			return service.Errorf(service.CodeInvalidRequest, "The request has no body.")
		}
		return decodeJSON(body, target)
	})
}

// decodeOptionalBody is decodeBody where no body means an empty object.
func decodeOptionalBody(r *http.Request, target any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return withBody(r, func(body []byte) error {
		if len(body) == 0 {
			return nil
		}
		return decodeJSON(body, target)
	})
}

// withBody reads a request's JSON body to its end and calls use with it. The bytes
// are good until use returns.
func withBody(r *http.Request, use func(body []byte) error) error {
	if media, _, err := mediaType(r); err != nil || media != typeJSON {
		return unsupportedMediaType(typeJSON)
	}
	return withRawBody(r, use)
}

// withRawBody is withBody for a body of any type.
func withRawBody(r *http.Request, use func(body []byte) error) error {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return service.Errorf(service.CodeUnsupportedMediaType, "The body must be sent without Content-Encoding.")
	}
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	if err := buffers.ReadBody(buffer, r); err != nil {
		return bodyError(err)
	}
	return use(buffer.Bytes())
}

// bodyError says why a body could not be read.
func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return service.Errorf(service.CodeRequestTooLarge, "The body is over %d bytes.", tooLarge.Limit)
	}
	if refused, ok := errors.AsType[*service.Error](err); ok { // there is no room for more
		return refused
	}
	return &service.Error{Code: service.CodeInvalidRequest, Message: "The body could not be read to its end.", Err: err}
}

// mediaType returns the type of a request's body, and its parameters. A missing
// type is taken as JSON.
func mediaType(r *http.Request) (string, map[string]string, error) {
	header := r.Header.Get("Content-Type")
	if header == "" || header == typeJSON {
		return typeJSON, nil, nil
	}
	return mime.ParseMediaType(header)
}

func unsupportedMediaType(spoken ...string) error {
	return service.Errorf(service.CodeUnsupportedMediaType, "The Content-Type must be %s.", strings.Join(spoken, " or "))
}

// errUndelivered says that an answer could not be written to its end. Nothing more
// can be told to the client.
var errUndelivered = errors.New("the answer was not delivered")

// The values of headers that many answers have. They are shared: nobody changes them.
var (
	headerJSON    = []string{typeJSON}
	headerProblem = []string{typeProblem}
	headerNoStore = []string{"no-store"}
)

// writeJSON answers with value.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	return writeAs(w, headerJSON, status, value)
}

// deliverJSON is writeJSON that hands the whole answer to the connection. An error in
// errUndelivered's chain means that the client did not get it.
func deliverJSON(w http.ResponseWriter, status int, value any) error {
	if err := writeJSON(w, status, value); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return fmt.Errorf("%w: %w", errUndelivered, err)
	}
	return nil
}

func writeAs(w http.ResponseWriter, media []string, status int, value any) error {
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	if err := encode(buffer, value); err != nil {
		return err
	}
	header := w.Header()
	header["Content-Type"] = media
	header["Content-Length"] = []string{strconv.Itoa(buffer.Len())}
	header["Cache-Control"] = headerNoStore
	w.WriteHeader(status)
	if _, err := w.Write(buffer.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errUndelivered, err)
	}
	return nil
}

// pathValue returns the text that stands in the request's path for name.
func pathValue(r *http.Request, name string) string {
	value := chi.URLParam(r, name)
	if strings.Contains(value, "%") {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}

// checkQuery refuses a query string that is malformed, names a parameter that is
// not among known, names one twice, or holds what is no text.
func checkQuery(r *http.Request, known []string) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return service.Errorf(service.CodeInvalidRequest, "The query string is malformed.")
	}
	for name, given := range values {
		switch {
		case !slices.Contains(known, name):
			return badQuery(service.CodeInvalidRequest, name, "is not a parameter of this call")
		case len(given) > 1:
			return badQuery(service.CodeInvalidRequest, name, "is given twice")
		case !utf8.ValidString(given[0]) || strings.Contains(given[0], "\x00"):
			return badQuery(service.CodeInvalidParameter, name, "is not text")
		}
	}
	return nil
}

// badQuery makes an error about a parameter whose name may be anything.
func badQuery(code service.Code, name, problem string) error {
	name = strings.ToValidUTF8(name[:min(len(name), 100)], "")
	return &service.Error{Code: code, Field: name, Message: strconv.Quote(name) + " in the query string " + problem + "."}
}

// queryInt returns a query parameter's integer, and whether it is there.
func queryInt(r *http.Request, name string) (n int, given bool, err error) {
	if !r.URL.Query().Has(name) {
		return 0, false, nil
	}
	n, err = strconv.Atoi(r.URL.Query().Get(name))
	if err != nil {
		return 0, true, &service.Error{
			Code: service.CodeInvalidParameter, Field: name, Message: name + " must be an integer.",
		}
	}
	return n, true, nil
}

// queryLimit returns the page size that is asked for, or 0 for the service's own.
func queryLimit(r *http.Request) (int, error) {
	limit, given, err := queryInt(r, "limit")
	if err == nil && given && limit < 1 {
		err = &service.Error{Code: service.CodeInvalidParameter, Field: "limit", Message: "limit must be at least 1."}
	}
	return limit, err
}
