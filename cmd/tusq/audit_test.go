package main

import (
	"regexp"
	"strings"
	"testing"

	"tusq/test/testserver"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	mustRun(t, server, nil, "queue", "create", "orders", "--delay", "0")
	mustRun(t, server, nil, "queue", "update", "orders", "--delay", "5", "--retention", "60")
	mustRun(t, server, nil, "queue", "delete", "orders")
	list := mustRun(t, server, nil, "audit").stdout
	want := `^TIME +ACTOR +ACTION +RESOURCE +CLIENT +RESULT +DETAIL\n` +
		`\S+Z +owner +delete_queue +orders +\S+ +ok +\n` +
		`\S+Z +owner +update_queue +orders +\S+ +ok +settings=delay_seconds,retention_seconds\n` +
		`\S+Z +owner +create_queue +orders +\S+ +ok +\n$`
	if !regexp.MustCompile(want).MatchString(list) {
		t.Errorf("listed\n%s", list)
	}
	if got := mustRun(t, server, nil, "audit", "--action", "update_queue", "--json").stdout; strings.Count(got, "\n") != 1 ||
		!strings.Contains(got, `"settings":["delay_seconds","retention_seconds"]`) {
		t.Errorf("printed %s", got)
	}
	if got := mustRun(t, server, nil, "audit", "--max", "1").stdout; strings.Count(got, "\n") != 2 {
		t.Errorf("printed %s", got)
	}
	if got := mustRun(t, server, nil, "audit", "--max", "0", "--actor", "nobody").stdout; strings.Count(got, "\n") != 1 {
		t.Errorf("printed %s", got)
	}
}
