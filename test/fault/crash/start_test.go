package crash

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
)

// TestCrashWhenItGreets: a server that dies at its first word to the others can be started again.
func TestCrashWhenItGreets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.kill()
	w.launch("repository.notify=crash")
	if !w.awaitDeath() {
		t.Fatal("the point was not reached")
	}
	w.start("")
	w.sound()
}

// TestCrashInEveryMigration kills `tusq migrate` after each statement and after each commit,
// and finishes the migration then: the schema is the same as without a crash.
func TestCrashInEveryMigration(t *testing.T) {
	t.Parallel()
	want := schema(t, pgtest.New(t))
	for _, point := range []string{"migrations.statement", "migrations.committed"} {
		n := 0
		for crashed := true; crashed; {
			n++
			url := pgtest.Empty(t)
			crashed = migrate(url, fmt.Sprintf("%s=crash@%d", point, n)) != nil
			if err := migrate(url, ""); err != nil {
				t.Fatalf("after a crash at %s@%d: %v", point, n, err)
			}
			if got := schema(t, url); !slices.Equal(got, want) {
				t.Errorf("after a crash at %s@%d the schema is\n%q, want\n%q", point, n, got, want)
			}
		}
		if n < 3 {
			t.Errorf("%s was passed %d times", point, n-1)
		}
		fmt.Printf("%s: %d crashes\n", point, n-1)
	}
}

// migrate runs `tusq migrate` with a plan.
func migrate(url, plan string) error {
	command := exec.Command(binary, "migrate", "up", "--database-url", url)
	command.Env = append(os.Environ(), "TUSQ_FAULT="+plan)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// schema is all that migrations make: columns, indexes, constraints, settings, functions and the
// versions. Whether golang-migrate calls the last migration dirty is left out: schema_state tells
// whether it was committed, and the next migration repairs the word.
func schema(t *testing.T, url string) []string {
	t.Helper()
	ctx := context.Background()
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	rows, _ := db.Query(ctx, `
SELECT concat_ws(' ', 'column', table_name, ordinal_position, column_name, data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' ', oid::regclass, reloptions) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'p')
UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' ', 'version', version, oldest_supported) FROM schema_state
UNION ALL SELECT concat_ws(' ', 'migrated', version) FROM schema_migrations
ORDER BY 1`)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
