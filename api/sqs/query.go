package sqs

import (
	"encoding/xml"
	"net/http"
	"strconv"

	"tusq/internal/telemetry"
)

// queryNamespace is the Query dialect's XML namespace.
const queryNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"

// queryErrorResponse is an error in the Query dialect.
type queryErrorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Error     struct {
		Type    string
		Code    string
		Message string
		Detail  string
	}
	RequestID string `xml:"RequestId"`
}

// serveQuery tells clients of the Query dialect, in its own form, that only
// AWS JSON is served.
func (h *Handler) serveQuery(w http.ResponseWriter, r *http.Request) {
	if e := checkForm(r); e != nil {
		writeQueryError(w, r, e)
		return
	}
	name := r.Form.Get("Action")
	if name == "" {
		writeXML(w, http.StatusNotFound, []byte("<UnknownOperationException/>"))
		return
	}
	e := errorf(unsupportedOperation, "The Query protocol is not supported. Use AWS JSON 1.0.")
	if _, known := actions[name]; known {
		telemetry.SetAction(r.Context(), name)
	} else {
		e = errorf(invalidAction, "The action %s is not valid for this endpoint.", shown(name))
	}
	writeQueryError(w, r, e)
}

// checkForm parses the query string and, if there is one, the form body.
func checkForm(r *http.Request) *apiError {
	switch media := mediaType(r); media {
	case "", "application/x-www-form-urlencoded":
	default:
		return errorf(unsupportedMediaType, "The Content-Type %s is not supported. Use %s.", shown(media), jsonType)
	}
	if err := checkEncoding(r); err != nil {
		return asError(r.Context(), err)
	}
	if err := r.ParseForm(); err != nil {
		return asError(r.Context(), bodyError(err))
	}
	return nil
}

func writeQueryError(w http.ResponseWriter, r *http.Request, e *apiError) {
	response := queryErrorResponse{Namespace: queryNamespace, RequestID: telemetry.RequestID(r.Context())}
	response.Error.Type, response.Error.Code, response.Error.Message = e.fault(), e.code, e.message
	body, err := xml.Marshal(response)
	if err != nil {
		telemetry.SetError(r.Context(), err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	setRetryAfter(w, e)
	writeXML(w, e.status, body)
}

func writeXML(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
