package rest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
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

	DeduplicationID string `json:"deduplication_id"`
}

// one returns the request's only message.
func (s sendRequest) one() SendMessage {
	return SendMessage{*s.Body, s.DelaySeconds, s.Attributes, s.GroupID, s.DeduplicationID}
}

// hasOne tells whether a field of a single message is given.
func (s sendRequest) hasOne() bool {
	return s.Body != nil || s.DelaySeconds != nil || s.Attributes != nil || s.GroupID != "" || s.DeduplicationID != ""
}

// textParams are the query parameters of a text/plain send.
var textParams = []string{"delay_seconds", "group_id", "deduplication_id"}

// sendMessages sends one message or many.
//
//	@Summary		Send one message or many
//	@Description	With one message as JSON, or with its body alone as text/plain, the answer is 201 and the message's id. With many it is 200 and one result for each, in their order: some may have been sent and others not.
//	@Description
//	@Description	With an `Idempotency-Key`, a send that may or may not have arrived can be repeated without fear: for five minutes, the same key with the same messages on the same queue gets the first send's answer, and nothing is sent again.
//	@ID				sendMessages
//	@Tags			messages
//	@Accept			json,plain
//	@Produce		json
//	@Param			queue				path		string			true	"The queue's name."
//	@Param			delay_seconds		query		int				false	"Of a text/plain message: seconds before it becomes visible."		minimum(0)	maximum(900)
//	@Param			group_id			query		string			false	"Of a text/plain message: its group."								maxlength(128)
//	@Param			deduplication_id	query		string			false	"Of a text/plain message to a FIFO queue: its deduplication id."	maxlength(128)
//	@Param			Idempotency-Key		header		string			false	"Names this send among those on the queue."							minlength(1)	maxlength(255)
//	@Param			request				body		SendMessages	true	"One message, or many."
//	@Success		200					{object}	SendResults		"One result for each message, in their order."
//	@Success		201					{object}	Sent			"The message was sent."
//	@Failure		404					{object}	Problem			"queue_not_found"
//	@Failure		409					{object}	Problem			"key_in_use: a send with this Idempotency-Key is being carried out; or master_key_missing: the server does not have the key of the queue's encryption."
//	@Failure		413					{object}	Problem			"request_too_large, message_too_large or batch_too_large"
//	@Failure		415					{object}	Problem			"unsupported_media_type"
//	@Failure		422					{object}	Problem			"key_reused: this Idempotency-Key has named a send of other messages."
//	@Router			/v1/queues/{queue}/messages [post]
func (a api) sendMessages(w http.ResponseWriter, r *http.Request) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	media, params, err := mediaType(r)
	switch {
	case err == nil && media == typeText:
		return a.sendText(w, r, key, params)
	case err != nil || media != typeJSON:
		return unsupportedMediaType(typeJSON, typeText)
	}
	if err := noTextParams(r); err != nil {
		return err
	}
	var request sendRequest
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	if request.Messages != nil {
		return a.sendMany(w, r, key, request)
	}
	if request.Body == nil {
		return missing("body")
	}
	message, err := request.one().message()
	if err != nil {
		return err
	}
	return a.sendOne(w, r, key, message)
}

// idempotencyKey returns the key that the request gives its send, or none.
func idempotencyKey(r *http.Request) (service.CallKey, error) {
	given := r.Header.Values("Idempotency-Key")
	if len(given) == 0 {
		return service.CallKey{}, nil
	}
	if len(given) > 1 || given[0] == "" || len(given[0]) > service.MaxCallKey {
		return service.CallKey{}, &service.Error{
			Code: service.CodeInvalidParameter, Field: "idempotency_key",
			Message: fmt.Sprintf("The header Idempotency-Key must be given once, with 1 to %d bytes.", service.MaxCallKey),
		}
	}
	return service.CallKey{ID: given[0], Strict: true}, nil
}

// noTextParams refuses the query parameters of another kind of send, which a JSON body
// has as its fields.
func noTextParams(r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	for _, name := range textParams {
		if r.URL.Query().Has(name) {
			return &service.Error{Code: service.CodeInvalidRequest, Field: name, Message: name + " belongs into the JSON body."}
		}
	}
	return nil
}

// sendMany sends a request's messages. Those that could not be decoded go with them, for an idempotency key
// names them too, and are refused by the service; why is told from here.
func (a api) sendMany(w http.ResponseWriter, r *http.Request, key service.CallKey, request sendRequest) error {
	if request.hasOne() {
		return &service.Error{
			Code: service.CodeInvalidRequest, Field: "messages",
			Message: "A body with messages has no other field.",
		}
	}
	messages := make([]service.SendMessage, len(request.Messages))
	undecoded := make([]error, len(request.Messages))
	for i, m := range request.Messages {
		messages[i], undecoded[i] = m.message()
	}
	send := service.SendMessages{Messages: messages, Key: key}
	sent, err := a.service.SendMessages(r.Context(), auth.Caller(r.Context()), queueName(r), send)
	if err != nil {
		return err
	}
	results := make([]SendResult, len(sent))
	for i, s := range sent {
		results[i] = SendResult{ID: s.ID, Sequence: sequence(s.Sequence), Error: itemError(r, cmp.Or(undecoded[i], s.Err))}
	}
	return writeJSON(w, http.StatusOK, SendResults{Results: results})
}

// sendText sends the request's whole body as one message, byte by byte as it is.
func (a api) sendText(w http.ResponseWriter, r *http.Request, key service.CallKey, params map[string]string) error {
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return unsupportedMediaType("text/plain; charset=utf-8", typeJSON)
	}
	query := r.URL.Query()
	message := service.SendMessage{GroupID: query.Get("group_id"), DeduplicationID: query.Get("deduplication_id")}
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
	return a.sendOne(w, r, key, message)
}

// sendOne sends one message, a batch of one to the service.
func (a api) sendOne(w http.ResponseWriter, r *http.Request, key service.CallKey, message service.SendMessage) error {
	send := service.SendMessages{Messages: []service.SendMessage{message}, Key: key}
	sent, err := a.service.SendMessages(r.Context(), auth.Caller(r.Context()), queueName(r), send)
	if err != nil {
		return err
	}
	if sent[0].Err != nil {
		return sent[0].Err
	}
	return writeJSON(w, http.StatusCreated, Sent{ID: sent[0].ID, Sequence: sequence(sent[0].Sequence)})
}

// message makes the service's form of a message. With an error, the service refuses the message.
func (m SendMessage) message() (service.SendMessage, error) {
	message := service.SendMessage{
		Body:    m.Body,
		Delay:   optionalDuration(m.DelaySeconds),
		GroupID: m.GroupID,

		DeduplicationID: m.DeduplicationID,
	}
	if len(m.Attributes) == 0 {
		return message, nil
	}
	message.Attributes = make(map[string]service.Attribute, len(m.Attributes))
	var refused error
	for name, given := range m.Attributes {
		attribute, err := given.attribute(name)
		refused = cmp.Or(refused, err)
		message.Attributes[name] = attribute
	}
	return message, refused
}

// attribute makes the service's form of an attribute. One that is not in base64 becomes a Binary
// without bytes, which no message may have.
func (a Attribute) attribute(name string) (service.Attribute, error) {
	if !isBinary(a.Type) {
		return service.Attribute{Type: a.Type, Value: a.Value}, nil
	}
	binary, err := base64.StdEncoding.DecodeString(a.Value)
	if err != nil {
		return service.Attribute{Type: a.Type, Value: a.Value}, &service.Error{
			Code: service.CodeInvalidAttribute, Field: "attributes." + name + ".value",
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
