// Package rest is tusq's own HTTP dialect: JSON in snake_case, RFC 3339 times,
// whole seconds, problem+json errors with a machine-readable code. A handler
// decodes, calls one method of the service, and encodes.
//
// The annotations here and at the handlers are the source of the OpenAPI
// specification: `go generate ./openapi` writes it.
//
//	@title			tusq
//	@version		1
//	@description	A message queue service over PostgreSQL.
//	@description
//	@description	A message is sent to a queue, received from it, and deleted by its receipt. A received message belongs to its receiver until the visibility timeout ends; then it can be received again. Delivery is at least once.
//	@description
//	@description	A queue whose name ends with `.fifo` is a FIFO queue: the messages of a `group_id` are received in the order in which they were sent, one batch at a time, and a `deduplication_id` is accepted once in five minutes. A received message can be settled only while its visibility timeout runs (`receipt_expired`).
//	@description
//	@description		Durations are whole seconds, times are RFC 3339 in UTC. Unknown fields, wrong types and unknown query parameters are refused. Every error is a problem with a machine-readable `code`; 503 names the seconds to wait in `Retry-After`. Calls on many messages answer 200 with one result for each, in their order.
//	@BasePath			/
//	@tag.name			queues
//	@tag.description	Queues and their settings.
//	@tag.name			messages
//	@tag.description	Sending, receiving, settling and looking at messages.
//	@tag.name			redrives
//	@tag.description	Moving messages back from a dead-letter queue.
//	@tag.name			keys
//	@tag.description	Who may call, where authentication is on: by a key's token here, and by signatures in Amazon's dialect.
//	@tag.name			users
//	@tag.description	Those who sign in to the console by a name and a password.
package rest
