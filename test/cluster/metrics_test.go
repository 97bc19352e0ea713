package cluster

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tusq/internal/pgtest"
)

// TestUnsafeDatabaseIsAMetric asks a replica on a database that a power loss destroys, and that does not
// notice damage.
func TestUnsafeDatabaseIsAMetric(t *testing.T) {
	t.Parallel()
	database := pgtest.ServerWithoutChecksums(t, map[string]string{"fsync": "off", "full_page_writes": "off"})
	r := serve(t, freeAddress(t), "--database-url", database)
	var shown string
	eventually(t, 20*time.Second, "the database was looked at", func() bool {
		shown = r.metrics(t)
		return strings.Contains(shown, "tusq_database_unfit{")
	})
	for fact, holds := range map[string]int{
		"fsync_off": 1, "full_page_writes_off": 1, "checksums_off": 1, "synchronous_commit_off": 0, "in_recovery": 0,
	} {
		if line := fmt.Sprintf("\ntusq_database_unfit{fact=%q} %d\n", fact, holds); !strings.Contains(shown, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// metrics is what a replica without authentication shows.
func (r *replica) metrics(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", response.Status, err)
	}
	return string(text)
}
