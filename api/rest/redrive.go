package rest

import (
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// startRedrive starts to move a dead-letter queue's messages.
//
//	@Summary		Move messages back from a dead-letter queue
//	@Description	Starts a redrive, which moves the messages that are visible now, oldest first, and goes on whatever becomes of the caller. Each gets a new id and a new time of sending. A queue has one redrive at a time.
//	@ID				startRedrive
//	@Tags			redrives
//	@Accept			json
//	@Produce		json
//	@Param			queue	path		string			true	"The dead-letter queue's name."
//	@Param			request	body		StartRedrive	false	"Where to, and how fast."
//	@Success		202		{object}	Redrive			"The redrive runs."
//	@Header			202		{string}	Location		"The redrive's path."
//	@Failure		404		{object}	Problem			"queue_not_found"
//	@Failure		409		{object}	Problem			"not_dead_letter_queue: no queue names it as its dead-letter queue; or redrive_running: it has one that has not ended."
//	@Router			/v1/queues/{queue}/redrive [post]
func (a api) startRedrive(w http.ResponseWriter, r *http.Request) error {
	var request StartRedrive
	if err := decodeOptionalBody(r, &request); err != nil {
		return err
	}
	start, err := request.start(queueName(r))
	if err != nil {
		return err
	}
	redrive, err := a.service.StartRedrive(r.Context(), auth.Caller(r.Context()), start)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/redrives/"+redrive.ID)
	return writeJSON(w, http.StatusAccepted, newRedrive(redrive))
}

// start makes the service's form of the request. What is given but empty is refused: it
// must not mean the same as nothing.
func (s StartRedrive) start(source string) (service.StartRedrive, error) {
	start := service.StartRedrive{Source: source}
	if s.Destination != nil {
		if start.Destination = *s.Destination; start.Destination == "" {
			return start, &service.Error{Code: service.CodeInvalidParameter, Field: "destination",
				Message: "destination must be the name of a queue."}
		}
	}
	if s.Rate != nil {
		if start.Rate = *s.Rate; start.Rate == 0 {
			return start, &service.Error{Code: service.CodeInvalidParameter, Field: "rate", Message: "rate must be at least 1."}
		}
	}
	return start, nil
}

// listRedrives lists a queue's redrives.
//
//	@Summary		List the redrives of a dead-letter queue
//	@Description	The newest first. Those that have ended are kept for a day.
//	@ID				listRedrives
//	@Tags			redrives
//	@Produce		json
//	@Param			queue	path		string	true	"The dead-letter queue's name."
//	@Param			limit	query		int		false	"Redrives at most."	minimum(1)	maximum(1000)	default(1000)
//	@Success		200		{object}	Redrives
//	@Failure		404		{object}	Problem	"queue_not_found"
//	@Router			/v1/queues/{queue}/redrives [get]
func (a api) listRedrives(w http.ResponseWriter, r *http.Request) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = service.MaxListLimit
	}
	redrives, err := a.service.ListRedrives(r.Context(), auth.Caller(r.Context()), queueName(r), limit)
	if err != nil {
		return err
	}
	answer := Redrives{Redrives: make([]Redrive, len(redrives))}
	for i, redrive := range redrives {
		answer.Redrives[i] = newRedrive(redrive)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// getRedrive returns a redrive.
//
//	@Summary	Get a redrive
//	@ID			getRedrive
//	@Tags		redrives
//	@Produce	json
//	@Param		redrive	path		string	true	"The redrive's id."
//	@Success	200		{object}	Redrive
//	@Failure	404		{object}	Problem	"redrive_not_found"
//	@Router		/v1/redrives/{redrive} [get]
func (a api) getRedrive(w http.ResponseWriter, r *http.Request) error {
	redrive, err := a.service.GetRedrive(r.Context(), auth.Caller(r.Context()), pathValue(r, "redrive"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newRedrive(redrive))
}

// cancelRedrive cancels a redrive.
//
//	@Summary		Cancel a redrive
//	@Description	It ends at its next step. What it has moved stays moved.
//	@ID				cancelRedrive
//	@Tags			redrives
//	@Produce		json
//	@Param			redrive	path		string	true	"The redrive's id."
//	@Success		202		{object}	Redrive	"The redrive ends soon."
//	@Failure		404		{object}	Problem	"redrive_not_found"
//	@Failure		409		{object}	Problem	"redrive_ended: there is nothing to cancel any more."
//	@Router			/v1/redrives/{redrive} [delete]
func (a api) cancelRedrive(w http.ResponseWriter, r *http.Request) error {
	redrive, err := a.service.CancelRedrive(r.Context(), auth.Caller(r.Context()), pathValue(r, "redrive"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, newRedrive(redrive))
}

// newRedrive makes a redrive as this dialect shows it.
func newRedrive(redrive service.Redrive) Redrive {
	return Redrive{
		ID:          redrive.ID,
		Source:      redrive.Source,
		Destination: redrive.Destination,
		Rate:        redrive.Rate,
		Status:      string(redrive.Status),
		Moved:       redrive.Moved,
		ToMove:      redrive.ToMove,
		Failure:     redrive.Failure,
		StartedAt:   redrive.StartedAt.UTC(),
		EndedAt:     redrive.EndedAt.UTC(),
	}
}
