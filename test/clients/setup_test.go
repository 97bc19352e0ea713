// Package clients runs real clients, unchanged, against the whole of tusq: those for Go
// here, and those for other languages from scripts/.
package clients

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"tusq/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	// Only a run of all tests can say that an action has none.
	if missing := answered.missing(); code == 0 && len(missing) > 0 && isWhole() {
		fmt.Fprintln(os.Stderr, "no test calls these actions with success:", missing)
		code = 1
	}
	os.Exit(code)
}

func isWhole() bool {
	return flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""
}
