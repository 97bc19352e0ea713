package main

import (
	"encoding/json"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tusq/openapi"
)

// The committed specification is what the annotations say.
func TestSpecificationIsUpToDate(t *testing.T) {
	t.Parallel()
	if err := run(true); err != nil {
		t.Fatal(err)
	}
}

// null removes a queue's dead-letter policy. It is nullable's only where the type is said beside it, and
// every schema of an allOf would have to take it: the validator here is more lenient than others.
func TestDeadLetterMayBeNull(t *testing.T) {
	t.Parallel()
	spec, err := openapi3.NewLoader().LoadFromData(openapi.JSON)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"CreateQueue", "QueueSettings"} {
		if p := spec.Components.Schemas[name].Value.Properties["dead_letter"]; !p.Value.Nullable || !p.Value.Type.Is("object") || p.Ref != "" || len(p.Value.AllOf) > 0 {
			t.Errorf("not everybody takes null for the dead_letter of %s", name)
		}
		for deadLetter, valid := range map[string]bool{
			`null`:                              true,
			`{"queue":"dead","max_receives":5}`: true,
			`{"queue":"dead"}`:                  false,
			`{"queue":"dead","max_receives":0}`: false,
			`"dead"`:                            false,
		} {
			var value any
			if err := json.Unmarshal([]byte(`{"name":"orders","dead_letter":`+deadLetter+`}`), &value); err != nil {
				t.Fatal(err)
			}
			if err := spec.Components.Schemas[name].Value.VisitJSON(value); (err == nil) != valid {
				t.Errorf("%s takes %s: %v, want %v: %v", name, deadLetter, err == nil, valid, err)
			}
		}
	}
}
