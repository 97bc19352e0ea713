package rest

import (
	"testing"

	"tusq/service"
)

// Every code has a status, and the table has no other code.
func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	for _, code := range service.Codes {
		if status := statuses[code]; status < 400 || status > 599 {
			t.Errorf("%s has status %d", code, status)
		}
	}
	if len(statuses) != len(service.Codes) {
		t.Errorf("the table has %d codes, the service %d", len(statuses), len(service.Codes))
	}
}
