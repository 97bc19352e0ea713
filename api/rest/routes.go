package rest

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"tusq/internal/telemetry"
	"tusq/service"
)

// api has the handlers. Each is named after the one method of the service that it calls.
type api struct {
	service *service.Service
}

// Routes adds the dialect's routes to r. Requests must have passed the middleware
// of authentication, and their bodies must be bounded.
func Routes(r chi.Router, svc *service.Service) {
	a := api{service: svc}

	r.Post("/queues", action("createQueue", a.createQueue))
	r.Get("/queues", action("listQueues", a.listQueues, "prefix", "dead_letter", "limit", "cursor"))
	r.Get("/queues/{queue}", action("getQueue", a.getQueue))
	r.Patch("/queues/{queue}", action("updateQueue", a.updateQueue))
	r.Delete("/queues/{queue}", action("deleteQueue", a.deleteQueue))
	r.Post("/queues/{queue}/purge", action("purgeQueue", a.purgeQueue))
	r.Get("/queues/{queue}/stats", action("getQueueStats", a.getQueueStats))

	r.Post("/queues/{queue}/messages", action("sendMessages", a.sendMessages, textParams...))
	r.Get("/queues/{queue}/messages", action("peekMessages", a.peekMessages, "state", "limit", "cursor"))
	r.Post("/queues/{queue}/messages/receive", action("receiveMessages", a.receiveMessages))
	r.Delete("/queues/{queue}/messages/{receipt}", action("deleteMessage", a.deleteMessage))
	r.Post("/queues/{queue}/messages/delete", action("deleteMessages", a.deleteMessages))
	r.Patch("/queues/{queue}/messages/{receipt}", action("extendMessage", a.extendMessage))
	r.Post("/queues/{queue}/messages/visibility", action("extendMessages", a.extendMessages))

	r.Post("/queues/{queue}/redrive", action("startRedrive", a.startRedrive))
	r.Get("/queues/{queue}/redrives", action("listRedrives", a.listRedrives, "limit"))
	r.Get("/redrives/{redrive}", action("getRedrive", a.getRedrive))
	r.Delete("/redrives/{redrive}", action("cancelRedrive", a.cancelRedrive))

	r.Get("/audit", action("listAudit", a.listAudit, "actor", "action", "result", "limit", "cursor"))

	r.Post("/keys", action("createKey", a.createKey))
	r.Get("/keys", action("listKeys", a.listKeys, "account", "limit", "cursor"))
	r.Get("/keys/{key}", action("getKey", a.getKey))
	r.Delete("/keys/{key}", action("revokeKey", a.revokeKey))
	r.Post("/keys/{key}/rotate", action("rotateKey", a.rotateKey))

	r.Post("/users", action("createUser", a.createUser))
	r.Get("/users", action("listUsers", a.listUsers, "limit", "cursor"))
	r.Get("/users/{user}", action("getUser", a.getUser))
	r.Patch("/users/{user}", action("updateUser", a.updateUser))
	r.Delete("/users/{user}", action("deleteUser", a.deleteUser))
}

// action makes a route's handler: it names the action and the queue for the log,
// refuses query parameters other than params, and answers with the handler's error.
func action(name string, handle func(http.ResponseWriter, *http.Request) error, params ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		telemetry.SetAction(r.Context(), name)
		telemetry.SetQueue(r.Context(), queueName(r))
		err := checkQuery(r, params)
		if err == nil {
			err = handle(w, r)
		}
		if err != nil {
			WriteError(w, r, err)
		}
	}
}

// queueName returns the queue that the path names, or "".
func queueName(r *http.Request) string { return pathValue(r, "queue") }
