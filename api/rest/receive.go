package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// releaseTimeout bounds the release of messages whose receiver has gone.
const releaseTimeout = 5 * time.Second

// receiveMessages receives messages.
//
//	@Summary		Receive messages
//	@Description	Waits for the first message if it is asked to; no message in time is not an error. Every received message belongs to the caller until its visibility timeout ends.
//	@ID				receiveMessages
//	@Tags			messages
//	@Accept			json
//	@Produce		json
//	@Param			queue	path		string			true	"The queue's name."
//	@Param			request	body		ReceiveMessages	false	"How many, how long to wait, and how long they stay invisible."
//	@Success		200		{object}	ReceivedMessages
//	@Failure		404		{object}	Problem	"queue_not_found"
//	@Failure		409		{object}	Problem	"attempt_void; or master_key_missing: the server does not have the key of the queue's encryption."
//	@Failure		415		{object}	Problem	"unsupported_media_type"
//	@Router			/v1/queues/{queue}/messages/receive [post]
func (a api) receiveMessages(w http.ResponseWriter, r *http.Request) error {
	var request ReceiveMessages
	if err := decodeOptionalBody(r, &request); err != nil {
		return err
	}
	receive := service.ReceiveMessages{
		Max:        1,
		Wait:       optionalDuration(request.WaitSeconds),
		Visibility: optionalDuration(request.VisibilityTimeout),
		AttemptID:  request.AttemptID,
	}
	if request.Max != nil {
		receive.Max = *request.Max
	}
	messages, err := a.service.ReceiveMessages(r.Context(), auth.Caller(r.Context()), queueName(r), receive)
	if err != nil {
		return err
	}
	return a.deliver(w, r, messages)
}

// deliver answers a receive. Where the client has gone, or its connection breaks
// while the answer is written, the messages are released for others. A client that
// goes after the answer has been handed to the connection may have read it, so then
// the messages stay its own until their timeout ends.
func (a api) deliver(w http.ResponseWriter, r *http.Request, messages []service.Message) error {
	err := r.Context().Err()
	if err == nil {
		err = deliverJSON(w, http.StatusOK, newReceivedMessages(messages))
	}
	if err == nil || len(messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), releaseTimeout)
	defer cancel()
	if err := a.service.ReleaseMessages(ctx, auth.Caller(ctx), queueName(r), messages); err != nil {
		telemetry.SetError(ctx, fmt.Errorf("release undelivered messages: %w", err))
	}
	return err
}

// peekMessages looks at messages.
//
//	@Summary		Look at messages without receiving them
//	@Description	Changes nothing: the messages have no receipts, and their receive counts stay.
//	@ID				peekMessages
//	@Tags			messages
//	@Produce		json
//	@Param			queue	path		string	true	"The queue's name."
//	@Param			state	query		string	false	"Only messages in this state."	Enums(visible, delayed, in_flight)
//	@Param			limit	query		int		false	"Messages of one page."			minimum(1)	maximum(100)	default(100)
//	@Param			cursor	query		string	false	"The cursor of the page before."
//	@Success		200		{object}	MessagePage
//	@Failure		404		{object}	Problem	"queue_not_found"
//	@Failure		409		{object}	Problem	"master_key_missing: the server does not have the key of the queue's encryption."
//	@Router			/v1/queues/{queue}/messages [get]
func (a api) peekMessages(w http.ResponseWriter, r *http.Request) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	page, err := a.service.PeekMessages(r.Context(), auth.Caller(r.Context()), queueName(r), service.PeekMessages{
		State:  service.State(query.Get("state")),
		Limit:  limit,
		Cursor: query.Get("cursor"),
	})
	if err != nil {
		return err
	}
	answer := MessagePage{Messages: make([]Message, len(page.Messages)), Cursor: page.Cursor}
	for i := range page.Messages {
		answer.Messages[i] = newMessage(&page.Messages[i])
	}
	return writeJSON(w, http.StatusOK, answer)
}

// newReceivedMessages makes received messages as this dialect shows them.
func newReceivedMessages(messages []service.Message) ReceivedMessages {
	answer := ReceivedMessages{Messages: make([]ReceivedMessage, len(messages))}
	for i := range messages {
		answer.Messages[i] = ReceivedMessage{Receipt: messages[i].Receipt, Message: newMessage(&messages[i])}
	}
	return answer
}

// newMessage makes a message as this dialect shows it.
func newMessage(m *service.Message) Message {
	return Message{
		ID:               m.ID,
		Body:             m.Body,
		Attributes:       newAttributes(m.Attributes),
		GroupID:          m.GroupID,
		DeduplicationID:  m.DeduplicationID,
		Sequence:         sequence(m.Sequence),
		DeadLetterSource: m.DeadLetterSource,
		State:            string(m.State),
		ReceiveCount:     m.ReceiveCount,
		SentAt:           m.SentAt.UTC(),
		FirstReceivedAt:  m.FirstReceivedAt.UTC(),
		VisibleAt:        m.VisibleAt.UTC(),
	}
}

// sequence writes a sequence number, or nothing for none. It is no JSON number, which
// many clients hold in 53 bits.
func sequence(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
