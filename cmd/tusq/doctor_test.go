package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tusq/cmd/tusq/doctor"
	"tusq/internal/pgtest"
	"tusq/repository"
)

// TestDoctor examines a server that is sound, but that it waits for no disk, and one that is not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	sound := pgtest.Server(t, map[string]string{"fsync": "on", "full_page_writes": "on"})
	out, err := run(t.Context(), "", nil, "doctor", "--database-url", sound)
	if err != nil {
		t.Errorf("a sound server: %v\n%s", err, out.stdout)
	}
	if strings.Count(out.stdout, "\n") < 15 || strings.Contains(out.stdout, "problem") {
		t.Errorf("printed\n%s", out.stdout)
	}
	t.Log("\n" + out.stdout)

	out, err = run(t.Context(), "", nil, "doctor", "--json", "--database-url", pgtest.New(t)) // without fsync
	if err == nil {
		t.Error("a server without fsync is without problems")
	}
	var answer struct{ Lines []doctor.Line }
	if err := json.Unmarshal([]byte(out.stdout), &answer); err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]doctor.Verdict{}
	for _, l := range answer.Lines {
		verdicts[l.Name] = l.Verdict
	}
	if verdicts["fsync"] != doctor.Problem || verdicts["full_page_writes"] != doctor.Problem || verdicts["schema"] != doctor.OK {
		t.Errorf("verdicts %v", verdicts)
	}
	if _, err := run(t.Context(), "", nil, "doctor", "--database-url", pgtest.Empty(t)); err == nil || !strings.Contains(err.Error(), "migrate up") {
		t.Errorf("an empty database: %v", err)
	}
	if _, err := run(t.Context(), "", nil, "doctor", "--data-dir", t.TempDir()); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestDoctorWithoutItsStandby: every fact is told although no commit ends.
func TestDoctorWithoutItsStandby(t *testing.T) {
	t.Parallel()
	url := pgtest.Server(t, map[string]string{"fsync": "on", "full_page_writes": "on"})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, statement := range []string{`ALTER SYSTEM SET synchronous_standby_names = 'away'`, `SELECT pg_reload_conf()`} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for named := ""; named == ""; {
		if err := conn.QueryRow(t.Context(), `SHOW synchronous_standby_names`).Scan(&named); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(t.Context(), "", nil, "doctor", "--database-url", url)
	if err == nil {
		t.Error("there is no problem")
	}
	problems := map[string]bool{"standbys": true, "commit": true}
	lines := 0
	for line := range strings.Lines(out.stdout) {
		var verdict, name string
		if _, err := fmt.Sscan(line, &verdict, &name); err != nil || verdict == "→" {
			continue
		}
		lines++
		if (doctor.Verdict(verdict) == doctor.Problem) != problems[name] {
			t.Errorf("%s is %s", name, verdict)
		}
	}
	if lines != 19 || strings.Contains(out.stdout, "none came") {
		t.Errorf("%d lines were printed, want 19, with notifications", lines)
	}
	t.Log("\n" + out.stdout)
}

func TestFsck(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	out, err := run(t.Context(), "", nil, "fsck", "--database-url", url)
	if want := "0 queues checked: 0 faults, 0 notes, 0 repaired\n"; err != nil || out.stdout != want {
		t.Errorf("an empty database: %q, %v", out.stdout, err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `
INSERT INTO queue_counters VALUES (7, 1, 2);
INSERT INTO once_keys VALUES (7, gen_random_uuid(), gen_random_uuid(), 1, now());
INSERT INTO messages (queue_id, id, visible_at, sent_at, body) VALUES (8, '01234567-89ab-7cde-8123-456789abcdef', now(), now(), 'a')`)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"fault     orphans          queue 8: 1 messages of a queue that does not exist; nobody can receive them (01234567-89ab-7cde-8123-456789abcdef)",
			"fault     orphan_counters  queue 7: 1 counters", "note      orphan_keys      queue 7: 1 keys", "0 queues checked: 2 faults, 1 notes, 0 repaired"}},
		{[]string{"--fix"}, []string{"repaired  orphan_counters  queue 7", "fault     orphans ", "0 queues checked: 1 faults, 1 notes, 1 repaired"}},
	} {
		out, err := run(t.Context(), "", nil, append([]string{"fsck", "--database-url", url}, step.args...)...)
		if err == nil {
			t.Errorf("%v: the faults that remain are no error", step.args)
		}
		for _, want := range step.want {
			if !strings.Contains(out.stdout, want) {
				t.Errorf("%v printed\n%swithout %q", step.args, out.stdout, want)
			}
		}
	}
	if _, err := conn.Exec(t.Context(), `DELETE FROM messages`); err != nil {
		t.Fatal(err)
	}
	out, err = run(t.Context(), "", nil, "fsck", "--json", "--database-url", url)
	if err != nil || !strings.Contains(out.stdout, `{"queues":0,"faults":0,"notes":1,"fixed":0}`) {
		t.Errorf("with a note only: %s, %v", out.stdout, err)
	}
}

// TestToolsByWayOfAPooler: they work again and again on the servers that it lends.
func TestToolsByWayOfAPooler(t *testing.T) {
	t.Parallel()
	direct := pgtest.New(t)
	pooled := pgtest.Pooled(t, direct)
	conn, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for range 2 {
		if _, err := conn.Exec(t.Context(), `INSERT INTO queue_counters VALUES (7, 1, 2)`); err != nil {
			t.Fatal(err)
		}
		out, err := run(t.Context(), "", nil, "fsck", "--fix", "--database-url", pooled)
		if err != nil || !strings.Contains(out.stdout, " 0 faults, 0 notes, 1 repaired") {
			t.Errorf("fsck printed %q, %v", out.stdout, err)
		}
	}
	out, _ := run(t.Context(), "", nil, "doctor", "--database-url", pooled) // with problems: tests do without fsync
	if !strings.Contains(out.stdout, "warning  notifications ") || strings.Contains(out.stdout, "not known") {
		t.Errorf("doctor printed\n%s", out.stdout)
	}
}

// TestToolsGoWithoutThePooler where they are told the way.
func TestToolsGoWithoutThePooler(t *testing.T) {
	t.Parallel()
	flags := []string{"--database-url", "postgres://nobody@127.0.0.1:1/none", "--database-direct-url", pgtest.New(t)}
	out, _ := run(t.Context(), "", nil, append([]string{"doctor"}, flags...)...) // with problems: tests do without fsync
	if !strings.Contains(out.stdout, "ok       notifications ") {
		t.Errorf("doctor printed\n%s%s", out.stdout, out.stderr)
	}
	if out, err := run(t.Context(), "", nil, append([]string{"fsck"}, flags...)...); err != nil {
		t.Errorf("fsck: %v\n%s", err, out.stdout)
	}
}

// TestToolsAfterAFailover use the server that takes changes, wherever the URL names it.
func TestToolsAfterAFailover(t *testing.T) {
	t.Parallel()
	standby := pgtest.Standby(t)
	t.Run("with the new primary", func(t *testing.T) {
		url := pgtest.Hosts(t, standby, pgtest.Server(t, nil))
		out, _ := run(t.Context(), "", nil, "doctor", "--database-url", url) // with problems: tests do without fsync
		if !strings.Contains(out.stdout, "ok       role             primary") {
			t.Errorf("doctor printed\n%s", out.stdout)
		}
		conn, err := pgx.Connect(t.Context(), url+" target_session_attrs=read-write")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), `INSERT INTO queue_counters VALUES (7, 1, 2)`); err != nil {
			t.Fatal(err)
		}
		if out, err := run(t.Context(), "", nil, "fsck", "--fix", "--database-url", url); err != nil {
			t.Errorf("fsck: %v\n%s", err, out.stdout)
		}
	})
	t.Run("with the standby alone", func(t *testing.T) {
		out, err := run(t.Context(), "", nil, "doctor", "--database-url", standby)
		if err == nil || !strings.Contains(out.stdout, "problem  role             standby, read only") || strings.Contains(out.stdout, "not known") {
			t.Errorf("doctor: %v\n%s", err, out.stdout)
		}
		if _, err := run(t.Context(), "", nil, "fsck", "--database-url", standby); !errors.Is(err, pgconn.ErrReadOnlyConnection) {
			t.Errorf("fsck: %v", err)
		}
	})
}

// TestDoctorOfAClosedDatabase says that it takes no changes.
func TestDoctorOfAClosedDatabase(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`); err != nil {
		t.Fatal(err)
	}
	out, err := run(t.Context(), "", nil, "doctor", "--database-url", url)
	if err == nil || !strings.Contains(out.stdout, "problem  role             primary, read only") {
		t.Errorf("doctor: %v\n%s", err, out.stdout)
	}
}

// TestEveryFindingHasWords: what can be found can be printed.
func TestEveryFindingHasWords(t *testing.T) {
	t.Parallel()
	for _, what := range repository.AllFindings {
		if findings[what] == "" {
			t.Errorf("%s has no words", what)
		}
	}
	if len(findings) != len(repository.AllFindings) {
		t.Errorf("%d findings have words, there are %d", len(findings), len(repository.AllFindings))
	}
}
