package main

import (
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// checkURL fails where a connection string cannot be parsed, without showing anything of its password.
func checkURL(text string) error {
	scheme, rest, isURL := strings.Cut(text, "://")
	isURL = isURL && (scheme == "postgres" || scheme == "postgresql")
	if isURL && !isClear(rest) {
		return errors.New("the URL cannot be parsed: in its password and elsewhere, write @ / : ? # % and spaces as %40 %2F %3A %3F %23 %25 and %20")
	}
	_, err := pgx.ParseConfig(text)
	switch {
	case err == nil:
		return nil
	case isURL:
		return err // which knows the password, and hides it
	}
	if cause := errors.Unwrap(err); cause != nil { // without the text
		return cause
	}
	return errors.New("it cannot be parsed: want a URL that begins with postgres://, or words such as host=db user=tusq")
}

// isClear tells whether there is no doubt where the parts of a URL, without its scheme, end: what an
// unescaped character in a password cuts off would be taken for a host, a port or a database, and shown.
func isClear(rest string) bool {
	authority, tail := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority, tail = rest[:end], rest[end:]
	}
	user, _, _ := strings.Cut(authority, "@")
	_, err := url.PathUnescape(user)
	path, query, _ := strings.Cut(tail, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "@") {
			return false
		}
	}
	return err == nil && strings.Count(authority, "@") <= 1 && strings.Count(user, ":") <= 1 &&
		!strings.ContainsAny(path, "@#") && !strings.ContainsAny(query, "#") && !strings.ContainsAny(rest, " \t\r\n")
}
