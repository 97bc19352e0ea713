package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"tusq/service"
)

const (
	typeProblem   = "application/problem+json"
	refProblem    = "#/components/schemas/Problem"
	refRequestID  = "#/components/headers/RequestId"
	refRetryAfter = "#/components/headers/RetryAfter"
)

// complete adds what Swagger 2.0 cannot say, and what every operation shares.
func complete(spec *openapi3.T) error {
	spec.Info.Contact = nil // swag writes an empty one
	addSecurity(spec)
	addHeaders(spec)
	if err := listCodes(spec); err != nil {
		return err
	}
	if err := addSendForms(spec); err != nil {
		return err
	}
	if err := allowNoDeadLetter(spec); err != nil {
		return err
	}
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.OperationID == "" || operation.Summary == "" || len(operation.Tags) == 0 {
				return fmt.Errorf("%s %s needs an id, a summary and a tag", method, path)
			}
			completeOperation(method, operation)
		}
	}
	return nil
}

// addSecurity declares how callers say who they are. No operation demands it: a
// server can run with authentication switched off.
func addSecurity(spec *openapi3.T) {
	spec.Components.SecuritySchemes = openapi3.SecuritySchemes{
		"bearer": {Value: openapi3.NewSecurityScheme().
			WithType("http").
			WithScheme("bearer").
			WithDescription("Not looked at where the server runs with authentication switched off.")},
	}
	spec.Security = openapi3.SecurityRequirements{
		openapi3.NewSecurityRequirement(),
		openapi3.NewSecurityRequirement().Authenticate("bearer"),
	}
}

func addHeaders(spec *openapi3.T) {
	spec.Components.Headers = openapi3.Headers{
		"RequestId":  header("The request's id: the client's own, if it sent a sane one.", openapi3.NewStringSchema()),
		"RetryAfter": header("Seconds to wait before the next try.", openapi3.NewIntegerSchema().WithMin(0)),
	}
}

func header(description string, schema *openapi3.Schema) *openapi3.HeaderRef {
	return &openapi3.HeaderRef{Value: &openapi3.Header{Parameter: openapi3.Parameter{
		Description: description,
		Schema:      schema.NewRef(),
	}}}
}

// listCodes names every error code where one is answered. They are no enumeration,
// so that a client of today takes a code of tomorrow.
func listCodes(spec *openapi3.T) error {
	codes := make([]string, len(service.Codes))
	for i, code := range service.Codes {
		codes[i] = string(code)
	}
	for _, name := range []string{"Problem", "ItemError"} {
		schema := spec.Components.Schemas[name]
		if schema == nil || schema.Value.Properties["code"] == nil {
			return fmt.Errorf("there is no schema %s with a code", name)
		}
		code := schema.Value.Properties["code"].Value
		code.Description += ": one of " + strings.Join(codes, ", ")
	}
	return nil
}

// addSendForms gives the send its three forms: one message, many, or text.
func addSendForms(spec *openapi3.T) error {
	path := spec.Paths.Value("/v1/queues/{queue}/messages")
	if path == nil || path.Post == nil || path.Post.RequestBody == nil {
		return errors.New("there is no send")
	}
	path.Post.RequestBody.Value.Content = openapi3.Content{
		"application/json": openapi3.NewMediaType().WithSchema(&openapi3.Schema{OneOf: openapi3.SchemaRefs{
			openapi3.NewSchemaRef("#/components/schemas/SendMessage", nil),
			openapi3.NewSchemaRef("#/components/schemas/SendMessages", nil),
		}}),
		"text/plain": openapi3.NewMediaType().WithSchema(
			openapi3.NewStringSchema().WithMinLength(1).WithMaxLength(service.MaxMessageBytes)),
	}
	return nil
}

// allowNoDeadLetter lets the dead_letter that is to be set be null. A reference cannot be, and in an allOf with
// one OpenAPI 3.0 does not take null either: nullable adds it to the type that stands beside it.
func allowNoDeadLetter(spec *openapi3.T) error {
	policy := spec.Components.Schemas["DeadLetter"]
	if policy == nil {
		return errors.New("there is no schema DeadLetter")
	}
	for _, name := range []string{"CreateQueue", "QueueSettings"} {
		schema := spec.Components.Schemas[name]
		if schema == nil || schema.Value.Properties["dead_letter"] == nil {
			return fmt.Errorf("there is no schema %s with a dead_letter", name)
		}
		nullable := *policy.Value
		nullable.Nullable = true
		nullable.Description = schema.Value.Properties["dead_letter"].Value.Description
		schema.Value.Properties["dead_letter"] = nullable.NewRef()
	}
	return nil
}

// completeOperation adds the errors and the headers that every operation can answer with.
func completeOperation(method string, operation *openapi3.Operation) {
	add := func(status int, description string) {
		if operation.Responses.Status(status) == nil {
			response := openapi3.NewResponse().WithDescription(description)
			operation.Responses.Set(strconv.Itoa(status), &openapi3.ResponseRef{Value: response})
		}
	}
	add(http.StatusBadRequest, "The request is not valid; code and field say why.")
	add(http.StatusUnauthorized, "unauthenticated: no token, or none that is valid, where authentication is on.")
	add(http.StatusForbidden, "forbidden: the token's key does not permit this.")
	add(http.StatusTooManyRequests, "rate_limited: the key or its account has made too many requests. Try again.")
	add(http.StatusInternalServerError, "internal: a fault of the server.")
	add(http.StatusServiceUnavailable, "unavailable or overloaded: try again later.")
	if method != http.MethodGet {
		add(http.StatusInsufficientStorage, "storage_full: the database's disk is full. Try again when there is room.")
	}
	if body := operation.RequestBody; body != nil {
		delete(body.Value.Extensions, "x-originalParamName")
		add(http.StatusRequestEntityTooLarge, "request_too_large")
		add(http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	for status, response := range operation.Responses.Map() {
		completeResponse(status, response.Value)
	}
}

func completeResponse(status string, response *openapi3.Response) {
	if response.Headers == nil {
		response.Headers = openapi3.Headers{}
	}
	response.Headers["X-Request-Id"] = &openapi3.HeaderRef{Ref: refRequestID}
	switch status {
	case strconv.Itoa(http.StatusServiceUnavailable), strconv.Itoa(http.StatusTooManyRequests):
		response.Headers["Retry-After"] = &openapi3.HeaderRef{Ref: refRetryAfter}
	}
	if status >= "400" {
		response.Content = openapi3.Content{
			typeProblem: openapi3.NewMediaType().WithSchemaRef(openapi3.NewSchemaRef(refProblem, nil)),
		}
	}
}
