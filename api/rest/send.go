package rest

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"tusq/api/auth"
	"tusq/service"
)

// sendRequest is what the body of a send may hold: one message's fields, or messages.
type sendRequest struct {
	Body         *string              `json:"body"`
	DelaySeconds *int                 `json:"delay_seconds"`
	Attributes   map[string]Attribute `json:"attributes"`
	GroupID      string               `json:"group_id"`
	Messages     []SendMessage        `json:"messages"`
}

// sendMessages sends one message or many.
//
//	@Summary		Send one message or many
//	@Description	With one message as JSON, or with its body alone as text/plain, the answer is 201 and the message's id. With many it is 200 and one result for each, in their order: some may have been sent and others not.
//	@ID				sendMessages
//	@Tags			messages
//	@Accept			json,plain
//	@Produce		json
//	@Param			queue			path		string		true	"The queue's name."
//	@Param			delay_seconds	query		int			false	"Of a text/plain message: seconds before it becomes visible."	minimum(0)	maximum(900)
//	@Param			request			body		SendMessages	true	"One message, or many."
//	@Success		200				{object}	SendResults	"One result for each message, in their order."
//	@Success		201				{object}	Sent		"The message was sent."
//	@Failure		404				{object}	Problem		"queue_not_found"
//	@Failure		413				{object}	Problem		"request_too_large, message_too_large or batch_too_large"
//	@Failure		415				{object}	Problem		"unsupported_media_type"
//	@Router			/v1/queues/{queue}/messages [post]
func (a api) sendMessages(w http.ResponseWriter, r *http.Request) error {
	media, params, err := mediaType(r)
	switch {
	case err == nil && media == typeText:
		return a.sendText(w, r, params)
	case err != nil || media != typeJSON:
		return unsupportedMediaType(typeJSON, typeText)
	case r.URL.RawQuery != "":
		return &service.Error{
			Code: service.CodeInvalidRequest, Field: "delay_seconds",
			Message: "delay_seconds belongs into the JSON body.",
		}
	}
	var request sendRequest
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	if request.Messages != nil {
		return a.sendMany(w, r, request)
	}
	if request.Body == nil {
		return missing("body")
	}
	message, err := SendMessage{*request.Body, request.DelaySeconds, request.Attributes, request.GroupID}.message("")
	if err != nil {
		return err
	}
	return a.sendOne(w, r, message)
}

// sendMany sends a request's messages.
func (a api) sendMany(w http.ResponseWriter, r *http.Request, request sendRequest) error {
	if request.Body != nil || request.DelaySeconds != nil || request.Attributes != nil || request.GroupID != "" {
		return &service.Error{
			Code: service.CodeInvalidRequest, Field: "messages",
			Message: "A body with messages has no other field.",
		}
	}
	messages := make([]service.SendMessage, len(request.Messages))
	for i, m := range request.Messages {
		var err error
		if messages[i], err = m.message("messages[" + strconv.Itoa(i) + "]."); err != nil {
			return err
		}
	}
	sent, err := a.service.SendMessages(r.Context(), auth.Caller(r.Context()), queueName(r), service.SendMessages{Messages: messages})
	if err != nil {
		return err
	}
	results := make([]SendResult, len(sent))
	for i, s := range sent {
		results[i] = SendResult{ID: s.ID, Error: itemError(r, s.Err)}
	}
	return writeJSON(w, http.StatusOK, SendResults{Results: results})
}

// sendText sends the request's whole body as one message, byte by byte as it is.
func (a api) sendText(w http.ResponseWriter, r *http.Request, params map[string]string) error {
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return unsupportedMediaType("text/plain; charset=utf-8", typeJSON)
	}
	var message service.SendMessage
	delay, given, err := queryInt(r, "delay_seconds")
	if err != nil {
		return err
	}
	if given {
		message.Delay = optionalDuration(&delay)
	}
	err = withRawBody(r, func(body []byte) error {
		message.Body = string(body)
		return nil
	})
	if err != nil {
		return err
	}
	return a.sendOne(w, r, message)
}

// sendOne sends one message, a batch of one to the service.
func (a api) sendOne(w http.ResponseWriter, r *http.Request, message service.SendMessage) error {
	sent, err := a.service.SendMessages(r.Context(), auth.Caller(r.Context()), queueName(r), service.SendMessages{Messages: []service.SendMessage{message}})
	if err != nil {
		return err
	}
	if sent[0].Err != nil {
		return sent[0].Err
	}
	return writeJSON(w, http.StatusCreated, Sent{ID: sent[0].ID})
}

// message makes the service's form of a message; path stands before the field that an error names.
func (m SendMessage) message(path string) (service.SendMessage, error) {
	message := service.SendMessage{
		Body:    m.Body,
		Delay:   optionalDuration(m.DelaySeconds),
		GroupID: m.GroupID,
	}
	if len(m.Attributes) == 0 {
		return message, nil
	}
	message.Attributes = make(map[string]service.Attribute, len(m.Attributes))
	for name, given := range m.Attributes {
		attribute, err := given.attribute(path + "attributes." + name)
		if err != nil {
			return service.SendMessage{}, err
		}
		message.Attributes[name] = attribute
	}
	return message, nil
}

// attribute makes the service's form of an attribute.
func (a Attribute) attribute(path string) (service.Attribute, error) {
	if !isBinary(a.Type) {
		return service.Attribute{Type: a.Type, Value: a.Value}, nil
	}
	binary, err := base64.StdEncoding.DecodeString(a.Value)
	if err != nil {
		return service.Attribute{}, &service.Error{
			Code: service.CodeInvalidAttribute, Field: path + ".value",
			Message: "The value of a Binary attribute must be in standard base64, with padding.",
		}
	}
	return service.Attribute{Type: a.Type, Binary: binary}, nil
}

// newAttributes makes attributes as this dialect shows them.
func newAttributes(attributes map[string]service.Attribute) map[string]Attribute {
	if len(attributes) == 0 {
		return nil
	}
	answer := make(map[string]Attribute, len(attributes))
	for name, a := range attributes {
		value := a.Value
		if isBinary(a.Type) {
			value = base64.StdEncoding.EncodeToString(a.Binary)
		}
		answer[name] = Attribute{Type: a.Type, Value: value}
	}
	return answer
}

func isBinary(attributeType string) bool {
	base, _, _ := strings.Cut(attributeType, ".")
	return base == "Binary"
}
