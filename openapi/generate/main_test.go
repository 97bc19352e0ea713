package main

import "testing"

// The committed specification is what the annotations say.
func TestSpecificationIsUpToDate(t *testing.T) {
	t.Parallel()
	if err := run(true); err != nil {
		t.Fatal(err)
	}
}
