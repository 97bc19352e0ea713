// Package authorization tests what callers may do: every route of every dialect against callers
// with each right and without it, and two accounts against each other. A route that the tables
// do not name fails the tests.
package authorization
