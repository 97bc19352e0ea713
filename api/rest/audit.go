package rest

import (
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// listAudit lists the audit log.
//
//	@Summary		Read the audit log
//	@Description	What was done with the account's queues and what was refused, to callers of other accounts too, the newest first. Refusals that are alike and happen in one second are one entry.
//	@ID				listAudit
//	@Tags			audit
//	@Produce		json
//	@Param			actor	query		string	false	"Only what this actor did or was refused."
//	@Param			action	query		string	false	"Only this action."
//	@Param			result	query		string	false	"Only this result: ok, or an error's code."
//	@Param			limit	query		int		false	"Entries of one page."	minimum(1)	maximum(1000)	default(1000)
//	@Param			cursor	query		string	false	"The cursor of the page before."
//	@Success		200		{object}	AuditPage
//	@Router			/v1/audit [get]
func (a api) listAudit(w http.ResponseWriter, r *http.Request) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	page, err := a.service.ListAudit(r.Context(), auth.Caller(r.Context()), service.ListAudit{
		Actor:  query.Get("actor"),
		Action: query.Get("action"),
		Result: query.Get("result"),
		Limit:  limit,
		Cursor: query.Get("cursor"),
	})
	if err != nil {
		return err
	}
	answer := AuditPage{Entries: make([]AuditEntry, len(page.Entries)), Cursor: page.Cursor}
	for i, entry := range page.Entries {
		answer.Entries[i] = newAuditEntry(entry)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// newAuditEntry makes an entry as this dialect shows it.
func newAuditEntry(entry service.AuditEntry) AuditEntry {
	return AuditEntry{
		ID:        entry.ID,
		At:        entry.At.UTC(),
		Account:   entry.Account,
		Actor:     entry.Actor,
		Action:    entry.Action,
		Resource:  entry.Resource,
		Client:    entry.Client,
		RequestID: entry.RequestID,
		Result:    entry.Result,
		Detail: AuditDetail{
			Count:       max(entry.Detail.Count, 1),
			Settings:    entry.Detail.Settings,
			Messages:    entry.Detail.Messages,
			Redrive:     entry.Detail.Redrive,
			Destination: entry.Detail.Destination,
			Rate:        entry.Detail.Rate,
		},
	}
}
