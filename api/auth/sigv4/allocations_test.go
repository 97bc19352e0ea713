//go:build !race

package sigv4_test

import (
	"testing"

	"tusq/api/auth/sigv4"
)

// A request whose signing key is kept is verified without any allocation.
func TestVerifyDoesNotAllocate(t *testing.T) {
	v := sigv4.New(sigv4.Options{Now: at(now)})
	for _, name := range []string{"send", "form"} {
		r, body, err := hot()[name].parse()
		if err != nil {
			t.Fatal(err)
		}
		if allocated := testing.AllocsPerRun(1000, func() { mustVerify(t, v, r, body) }); allocated > 0 {
			t.Errorf("%s: %v allocations", name, allocated)
		}
	}
}
