package rest

import (
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// deleteMessage deletes one received message.
//
//	@Summary	Delete a received message
//	@ID			deleteMessage
//	@Tags		messages
//	@Param		queue	path	string	true	"The queue's name."
//	@Param		receipt	path	string	true	"The message's receipt."
//	@Success	204		"The message is gone, now or already."
//	@Failure	404		{object}	Problem	"queue_not_found"
//	@Failure	409		{object}	Problem	"receipt_stale: the message has been received again since; or receipt_expired: its visibility timeout in a FIFO queue has ended."
//	@Router		/v1/queues/{queue}/messages/{receipt} [delete]
func (a api) deleteMessage(w http.ResponseWriter, r *http.Request) error {
	receipts := []string{pathValue(r, "receipt")}
	errs, err := a.service.DeleteMessages(r.Context(), auth.Caller(r.Context()), queueName(r), receipts)
	return answerOne(w, errs, err)
}

// deleteMessages deletes many received messages.
//
//	@Summary	Delete many received messages
//	@ID			deleteMessages
//	@Tags		messages
//	@Accept		json
//	@Produce	json
//	@Param		queue	path		string			true	"The queue's name."
//	@Param		request	body		DeleteMessages	true	"The messages' receipts."
//	@Success	200		{object}	Results			"One result for each receipt, in their order."
//	@Failure	404		{object}	Problem			"queue_not_found"
//	@Router		/v1/queues/{queue}/messages/delete [post]
func (a api) deleteMessages(w http.ResponseWriter, r *http.Request) error {
	var request DeleteMessages
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	errs, err := a.service.DeleteMessages(r.Context(), auth.Caller(r.Context()), queueName(r), request.Receipts)
	return answerMany(w, r, errs, err)
}

// extendMessage changes how long one received message stays invisible.
//
//	@Summary	Change how long a received message stays invisible
//	@ID			extendMessage
//	@Tags		messages
//	@Accept		json
//	@Param		queue	path	string			true	"The queue's name."
//	@Param		receipt	path	string			true	"The message's receipt."
//	@Param		request	body	ExtendMessage	true	"The new timeout, from now."
//	@Success	204		"The timeout was changed; the receipt stays good."
//	@Failure	404		{object}	Problem	"queue_not_found or message_not_found"
//	@Failure	409		{object}	Problem	"receipt_stale: the message has been received again since; or receipt_expired: its visibility timeout in a FIFO queue has ended."
//	@Router		/v1/queues/{queue}/messages/{receipt} [patch]
func (a api) extendMessage(w http.ResponseWriter, r *http.Request) error {
	var request ExtendMessage
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	extends := []service.ExtendVisibility{{
		Receipt: pathValue(r, "receipt"),
		Timeout: duration(request.VisibilityTimeout),
	}}
	errs, err := a.service.ExtendMessages(r.Context(), auth.Caller(r.Context()), queueName(r), extends)
	return answerOne(w, errs, err)
}

// extendMessages changes how long many received messages stay invisible.
//
//	@Summary	Change how long many received messages stay invisible
//	@ID			extendMessages
//	@Tags		messages
//	@Accept		json
//	@Produce	json
//	@Param		queue	path		string			true	"The queue's name."
//	@Param		request	body		ExtendMessages	true	"Receipts and new timeouts, from now."
//	@Success	200		{object}	Results			"One result for each message, in their order."
//	@Failure	404		{object}	Problem			"queue_not_found"
//	@Router		/v1/queues/{queue}/messages/visibility [post]
func (a api) extendMessages(w http.ResponseWriter, r *http.Request) error {
	var request ExtendMessages
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	extends := make([]service.ExtendVisibility, len(request.Messages))
	for i, m := range request.Messages {
		extends[i] = service.ExtendVisibility{Receipt: m.Receipt, Timeout: duration(m.VisibilityTimeout)}
	}
	errs, err := a.service.ExtendMessages(r.Context(), auth.Caller(r.Context()), queueName(r), extends)
	return answerMany(w, r, errs, err)
}

// answerOne answers a call on one receipt, a batch of one to the service.
func answerOne(w http.ResponseWriter, errs []error, err error) error {
	if err != nil {
		return err
	}
	if errs[0] != nil {
		return errs[0]
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// answerMany answers a call on many receipts.
func answerMany(w http.ResponseWriter, r *http.Request, errs []error, err error) error {
	if err != nil {
		return err
	}
	results := make([]Result, len(errs))
	for i, err := range errs {
		results[i].Error = itemError(r, err)
	}
	return writeJSON(w, http.StatusOK, Results{Results: results})
}
