// Package openapi holds the OpenAPI 3 specification of the REST dialect. It is
// made from the annotations in api/rest; never edit it by hand.
package openapi

import _ "embed"

//go:generate go run ./generate

// JSON is the specification.
//
//go:embed openapi.json
var JSON []byte
