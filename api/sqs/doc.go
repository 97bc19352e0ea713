// Package sqs speaks the wire protocol of Amazon SQS, so that AWS's SDKs work
// unchanged: it translates between it and package service.
//
// A request names its codec by its Content-Type, its action by a header and its
// queue by a URL, of which only the path counts. The codec fills in the action's
// input (types.go), the action (actions.go) makes one call to the service, and
// the codec writes its output. Errors of the service become SQS's by one table
// (errors.go). The actions on messages read and write their JSON without
// reflection (jsonread.go, jsonwrite.go). The package is stricter than the service
// where SQS is: batches of ten, receives of ten messages and twenty seconds, a
// megabyte per request.
package sqs
