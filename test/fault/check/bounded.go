package check

import (
	"fmt"
	"maps"
	"slices"
)

// bounded is C13: what the drain left in the database's tables is as little as it may be.
func (c *checker) bounded() {
	for _, table := range slices.Sorted(maps.Keys(c.opts.Tables)) {
		if rows := c.opts.Tables[table]; rows.Rows > rows.Max {
			c.found(Violation{
				Checker: "C13",
				Text:    fmt.Sprintf("table %s has %d rows after the drain, and may have %d", table, rows.Rows, rows.Max),
			})
		}
	}
}
