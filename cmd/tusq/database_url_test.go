package main

import (
	"strings"
	"testing"
)

func TestDatabaseURLsWithOddPasswords(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	for url, works := range map[string]bool{
		"postgres://tusq:" + secret + "@db/tusq":                            true,
		"postgres://tusq:" + secret + "%40%2F@db:5432/tusq?sslmode=disable": true,
		"postgresql://tusq:" + secret + "@a:1,b:2/tusq":                     true,
		"postgres://tusq:" + secret + "@[::1]:5432/tusq":                    true,
		"postgres:///tusq?host=/run/postgresql&user=me@tenant":              true,
		"postgres://db/tusq?password=" + secret:                             true,
		"host=db user=tusq password=" + secret:                              true,
		"host=db user=tusq password='a " + secret + "'":                     true,
		"postgres://tusq:%zz" + secret + "@db/tusq":                         false,
		"postgres://tusq:" + secret + "%@db/tusq":                           false,
		"postgres://tusq:a@" + secret + "@db/tusq":                          false,
		"postgres://tusq:a:" + secret + "@db/tusq":                          false,
		"postgres://tusq:1/" + secret + "@db/tusq":                          false,
		"postgres://tusq:1?" + secret + "@db/tusq":                          false,
		"postgres://tusq:1#" + secret + "@db/tusq":                          false,
		"postgres://tusq:a " + secret + "@db/tusq":                          false,
		"postgres://tusq:" + secret + "@db/tusq?sslmode=wrong":              false,
		"tusq:" + secret + "@db/tusq":                                       false,
		"mysql://tusq:" + secret + "@db/tusq":                               false,
		"host=db password=a " + secret:                                      false,
		"host=db password = '" + secret:                                     false,
	} {
		err := checkURL(url)
		if (err == nil) != works {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows it: %v", url, err)
		}
	}
}
