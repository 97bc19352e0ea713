package sqs

import (
	"encoding/json"
	"net/http"
	"strings"

	"tusq/internal/telemetry"
)

// plainJSON is the media type of a Query answer in JSON.
const plainJSON = "application/json"

// wantsJSON tells whether a Query answer is asked for in JSON: a client that also
// takes XML gets XML.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, plainJSON) && !strings.Contains(accept, "xml")
}

type responseMetadata struct {
	RequestID string `json:"RequestId"`
}

// sendQueryJSON writes an output as the XML would have it, with the members' names
// of AWS JSON.
func sendQueryJSON(w http.ResponseWriter, r *http.Request, action string, output any) error {
	members := map[string]any{"ResponseMetadata": responseMetadata{telemetry.RequestID(r.Context())}}
	if output != nil {
		members[action+"Result"] = output
	}
	body, err := encodeJSON(map[string]any{action + "Response": members})
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, []string{plainJSON}, body)
}

func sendQueryJSONError(w http.ResponseWriter, r *http.Request, e *apiError, message string) error {
	var response struct {
		Error struct {
			Type, Code, Message string
			Detail              json.RawMessage // null
		}
		RequestID string `json:"RequestId"`
	}
	response.Error.Type, response.Error.Code, response.Error.Message = e.fault(), e.code, message
	response.RequestID = telemetry.RequestID(r.Context())
	body, err := encodeJSON(response)
	if err != nil {
		return err
	}
	return send(w, e.status, []string{plainJSON}, body)
}
