//go:build fault

package faultpoint

import (
	"os"
	"strings"

	"tusq/internal/faultpoint/catalogue"
)

// bug is the defect that is switched on.
var bug = os.Getenv("TUSQ_BUG")

// changed are the statements that it changes.
var changed = map[string]string{}

// Bug tells whether a defect is switched on.
func Bug(name string) bool {
	known(name)
	return bug == name
}

// known panics where the catalogue lacks a defect.
func known(name string) {
	if !catalogue.HasBug(name) {
		panic("faultpoint: the catalogue has no bug " + name)
	}
}

// SQL is a statement, with the defect that is switched on.
func SQL(sql string) string {
	if with, ok := changed[sql]; ok {
		return with
	}
	return sql
}

// ChangeSQL makes a defect of statements: where it is switched on, all that is old in them, by pairs
// of old and new, is replaced. A statement in which something is not found is a mistake.
func ChangeSQL(name string, statements []string, oldnew ...string) {
	known(name)
	if bug != name {
		return
	}
	for _, sql := range statements {
		with := sql
		for i := 0; i < len(oldnew); i += 2 {
			if !strings.Contains(with, oldnew[i]) {
				panic("faultpoint: " + name + ": not found in its statement: " + oldnew[i])
			}
			with = strings.ReplaceAll(with, oldnew[i], oldnew[i+1])
		}
		changed[sql] = with
	}
}
