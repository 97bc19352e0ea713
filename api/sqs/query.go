package sqs

import (
	"net/http"
	"strings"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// malformedInput is a form that cannot be read. What can be read and has a wrong
// value is invalidParameterValue, as with JSON.
var malformedInput = common("MalformedInputException", "MalformedInput", http.StatusBadRequest)

// errNoAction is the answer to a request that names no action.
var errNoAction = &apiError{
	kind:    common("UnknownOperationException", "UnknownOperationException", http.StatusNotFound),
	message: "The request names no action.",
}

// namesQueue are the actions that SQS does not have at a queue's own URL, for
// they name the queue themselves, or none.
var namesQueue = map[string]bool{"CreateQueue": true, "GetQueueUrl": true, "ListQueues": true}

// queryCodec is the AWS Query protocol: parameters in a form or in the URL's query
// string, answers in XML. It does not look at the parameter Version, nor at those of
// a presigned URL, which are no members of any action.
type queryCodec struct{ signatures *auth.Signatures }

func (q queryCodec) read(r *http.Request) (asked, error) {
	if err := q.check(r); err != nil {
		return asked{}, err
	}
	parameters, err := q.readParameters(r)
	if err != nil {
		return asked{}, err
	}
	name, err := queryAction(parameters)
	if err != nil {
		return asked{}, err
	}
	action, err := findAction(name)
	if err != nil {
		return asked{}, err
	}
	if namesQueue[name] && strings.Trim(r.URL.Path, "/") != "" {
		return asked{}, errorf(invalidAction, "The action %s is not valid for this endpoint.", name)
	}
	telemetry.SetAction(r.Context(), name)
	input := action.input()
	if err := decodeQuery(parameters, input); err != nil {
		return asked{}, err
	}
	return asked{action, name, input}, nil
}

// check refuses what is no request of the protocol.
func (q queryCodec) check(r *http.Request) error {
	switch r.Method {
	case http.MethodGet:
		return checkSameSite(r, q.signatures != nil)
	case http.MethodPost:
	default:
		return errorf(methodNotAllowed, "Actions are requested by POST or GET.")
	}
	switch media := mediaType(r); media {
	case "", "application/x-www-form-urlencoded":
	default:
		return errorf(unsupportedMediaType, "The Content-Type %s is not supported. Use %s or application/x-www-form-urlencoded.",
			shown(media), jsonType)
	}
	return checkEncoding(r)
}

// checkSameSite refuses what a browser asks for on behalf of another site's page.
// The router's protection lets every GET pass, but here a GET can delete a queue. Browsers do not say whose page it is
// to a server that is reached without TLS and not on loopback: unless requests are to be signed, they may not ask at all there.
func checkSameSite(r *http.Request, signed bool) error {
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "none", site == "same-origin":
		return nil
	case site == "" && (signed || !strings.HasPrefix(r.UserAgent(), "Mozilla/")):
		return nil
	}
	return service.Errorf(service.CodeInvalidRequest, "A browser sent this for a page of another site.")
}

// queryAction returns the action's name.
func queryAction(parameters []parameter) (string, error) {
	name := ""
	for _, p := range parameters {
		if p.name != "Action" {
			continue
		}
		if name != "" && p.value != name {
			return "", twice("Action")
		}
		name = p.value
	}
	if name == "" {
		return "", errNoAction
	}
	return name, nil
}
