package rest

import (
	"net/http"
	"time"

	"tusq/api/auth"
	"tusq/service"
)

// createQueue makes a queue.
//
//	@Summary		Create a queue
//	@Description	Answers 201 for a new queue, and 200 where a queue of this name has the given settings already.
//	@ID				createQueue
//	@Tags			queues
//	@Accept			json
//	@Produce		json
//	@Param			request	body		CreateQueue	true	"The queue's name and settings."
//	@Success		200		{object}	Queue		"The queue existed with these settings."
//	@Success		201		{object}	Queue		"The queue was made."
//	@Header			201		{string}	Location	"The queue's path."
//	@Failure		409		{object}	Problem		"queue_exists: it exists with other settings; standby_required: the durability needs a synchronous standby, and none is named; or master_key_missing: the server has nothing to encrypt with."
//	@Router			/v1/queues [post]
func (a api) createQueue(w http.ResponseWriter, r *http.Request) error {
	var request CreateQueue
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	change, err := request.change()
	if err != nil {
		return err
	}
	if request.DeduplicationScope != nil {
		change.DeduplicationScope = new(service.DeduplicationScope(*request.DeduplicationScope))
	}
	create := service.CreateQueue{Name: request.Name, QueueChange: change}
	queue, created, err := a.service.CreateQueue(r.Context(), auth.Caller(r.Context()), create)
	if err != nil {
		return err
	}
	if !created {
		return writeJSON(w, http.StatusOK, newQueue(queue))
	}
	w.Header().Set("Location", "/v1/queues/"+queue.Name)
	return writeJSON(w, http.StatusCreated, newQueue(queue))
}

// listQueues lists queues by name.
//
//	@Summary	List queues by name
//	@ID			listQueues
//	@Tags		queues
//	@Produce	json
//	@Param		prefix		query		string	false	"Only queues whose names begin so."
//	@Param		dead_letter	query		string	false	"Only queues whose dead-letter queue has this name."
//	@Param		limit		query		int		false	"Queues of one page."	minimum(1)	maximum(1000)	default(1000)
//	@Param		cursor		query		string	false	"The cursor of the page before."
//	@Success	200			{object}	QueuePage
//	@Router		/v1/queues [get]
func (a api) listQueues(w http.ResponseWriter, r *http.Request) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	page, err := a.service.ListQueues(r.Context(), auth.Caller(r.Context()), service.ListQueues{
		Prefix:     query.Get("prefix"),
		DeadLetter: query.Get("dead_letter"),
		Limit:      limit,
		Cursor:     query.Get("cursor"),
	})
	if err != nil {
		return err
	}
	answer := QueuePage{Queues: make([]Queue, len(page.Queues)), Cursor: page.Cursor}
	for i, queue := range page.Queues {
		answer.Queues[i] = newQueue(queue)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// getQueue returns a queue.
//
//	@Summary	Get a queue
//	@ID			getQueue
//	@Tags		queues
//	@Produce	json
//	@Param		queue	path		string	true	"The queue's name."
//	@Success	200		{object}	Queue
//	@Failure	404		{object}	Problem	"queue_not_found"
//	@Router		/v1/queues/{queue} [get]
func (a api) getQueue(w http.ResponseWriter, r *http.Request) error {
	queue, err := a.service.GetQueue(r.Context(), auth.Caller(r.Context()), queueName(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newQueue(queue))
}

// updateQueue changes a queue's settings.
//
//	@Summary	Change a queue's settings
//	@ID			updateQueue
//	@Tags		queues
//	@Accept		json
//	@Produce	json
//	@Param		queue	path		string			true	"The queue's name."
//	@Param		request	body		QueueSettings	true	"The settings to set."
//	@Success	200		{object}	Queue
//	@Failure	404		{object}	Problem	"queue_not_found"
//	@Failure	409		{object}	Problem	"standby_required: the durability needs a synchronous standby, and none is named; or master_key_missing: the server has nothing to encrypt with."
//	@Router		/v1/queues/{queue} [patch]
func (a api) updateQueue(w http.ResponseWriter, r *http.Request) error {
	var request QueueSettings
	if err := decodeBody(r, &request); err != nil {
		return err
	}
	change, err := request.change()
	if err != nil {
		return err
	}
	queue, err := a.service.UpdateQueue(r.Context(), auth.Caller(r.Context()), queueName(r), change)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newQueue(queue))
}

// deleteQueue deletes a queue.
//
//	@Summary	Delete a queue with all its messages
//	@ID			deleteQueue
//	@Tags		queues
//	@Param		queue	path	string	true	"The queue's name."
//	@Success	204		"The queue is gone."
//	@Failure	404		{object}	Problem	"queue_not_found"
//	@Router		/v1/queues/{queue} [delete]
func (a api) deleteQueue(w http.ResponseWriter, r *http.Request) error {
	err := a.service.DeleteQueue(r.Context(), auth.Caller(r.Context()), queueName(r))
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// purgeQueue deletes a queue's messages.
//
//	@Summary	Delete all messages of a queue
//	@ID			purgeQueue
//	@Tags		queues
//	@Produce	json
//	@Param		queue	path		string	true	"The queue's name."
//	@Success	200		{object}	Purged
//	@Failure	404		{object}	Problem	"queue_not_found"
//	@Failure	413		{object}	Problem	"request_too_large: no body is needed."
//	@Failure	415		{object}	Problem	"unsupported_media_type: no body is needed; one that comes must be an empty JSON object."
//	@Router		/v1/queues/{queue}/purge [post]
func (a api) purgeQueue(w http.ResponseWriter, r *http.Request) error {
	if err := decodeOptionalBody(r, &struct{}{}); err != nil {
		return err
	}
	purged, err := a.service.PurgeQueue(r.Context(), auth.Caller(r.Context()), service.PurgeQueue{Name: queueName(r)})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, Purged{Purged: purged})
}

// getQueueStats counts a queue's messages.
//
//	@Summary	Count a queue's messages
//	@ID			getQueueStats
//	@Tags		queues
//	@Produce	json
//	@Param		queue	path		string	true	"The queue's name."
//	@Success	200		{object}	QueueStats
//	@Failure	404		{object}	Problem	"queue_not_found"
//	@Router		/v1/queues/{queue}/stats [get]
func (a api) getQueueStats(w http.ResponseWriter, r *http.Request) error {
	stats, err := a.service.GetQueueStats(r.Context(), auth.Caller(r.Context()), queueName(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, QueueStats{
		Visible:  stats.Visible,
		InFlight: stats.InFlight,
		Delayed:  stats.Delayed,
		Total:    stats.Total(),
	})
}

// newQueue makes a queue as this dialect shows it.
func newQueue(queue service.Queue) Queue {
	answer := Queue{
		Name:              queue.Name,
		VisibilityTimeout: wholeSeconds(queue.Settings.VisibilityTimeout),
		DelaySeconds:      wholeSeconds(queue.Settings.Delay),
		RetentionSeconds:  wholeSeconds(queue.Settings.Retention),
		WaitSeconds:       wholeSeconds(queue.Settings.ReceiveWait),
		MaxMessageSize:    queue.Settings.MaxMessageSize,
		Durability:        string(queue.Settings.Durability),
		Encryption:        string(queue.Settings.Encryption),
		FIFO:              queue.Settings.FIFO,
		Tags:              queue.Tags,
		CreatedAt:         queue.CreatedAt.UTC(),
		UpdatedAt:         queue.UpdatedAt.UTC(),
	}
	if deadLetter := queue.Settings.DeadLetter; deadLetter != nil {
		answer.DeadLetter = &DeadLetter{Queue: deadLetter.Queue, MaxReceives: deadLetter.MaxReceives}
	}
	if queue.Settings.FIFO {
		answer.ContentDeduplication = new(queue.Settings.ContentDeduplication)
		answer.DeduplicationScope = string(queue.Settings.DeduplicationScope)
	}
	return answer
}

// change makes the service's form of the settings that are given.
func (s QueueSettings) change() (service.QueueChange, error) {
	deadLetter, err := changeDeadLetter(s.DeadLetter)
	change := service.QueueChange{
		VisibilityTimeout: optionalDuration(s.VisibilityTimeout),
		Delay:             optionalDuration(s.DelaySeconds),
		Retention:         optionalDuration(s.RetentionSeconds),
		ReceiveWait:       optionalDuration(s.WaitSeconds),
		MaxMessageSize:    s.MaxMessageSize,
		DeadLetter:        deadLetter,
		Tags:              s.Tags,

		ContentDeduplication: s.ContentDeduplication,
	}
	if s.Durability != nil {
		change.Durability = new(service.Durability(*s.Durability))
	}
	if s.Encryption != nil {
		change.Encryption = new(service.Encryption(*s.Encryption))
	}
	return change, err
}

// changeDeadLetter tells apart no policy given (nil), null (the service's zero
// policy, which removes), and a policy.
func changeDeadLetter(given **DeadLetter) (*service.DeadLetter, error) {
	switch {
	case given == nil:
		return nil, nil
	case *given == nil:
		return &service.DeadLetter{}, nil
	case (*given).Queue == "":
		return nil, &service.Error{
			Code: service.CodeInvalidParameter, Field: "dead_letter.queue",
			Message: "dead_letter.queue must be the name of a queue.",
		}
	}
	return &service.DeadLetter{Queue: (*given).Queue, MaxReceives: (*given).MaxReceives}, nil
}

func wholeSeconds(d time.Duration) int { return int(d / time.Second) }

// duration makes a duration of seconds. What would overflow becomes a value that
// is as far out of every range.
func duration(seconds int) time.Duration {
	const far = 1 << 31
	return time.Duration(max(-far, min(seconds, far))) * time.Second
}

func optionalDuration(seconds *int) *time.Duration {
	if seconds == nil {
		return nil
	}
	d := duration(*seconds)
	return &d
}
