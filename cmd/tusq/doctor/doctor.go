// Package doctor judges what was seen of a database: each line is good, worth a thought, or
// wrong, with advice.
package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tusq/migrations"
	"tusq/repository"
)

// Verdict is how good a line is.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning"
	Problem Verdict = "problem"
)

// Line is one fact with its verdict.
type Line struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Fact    string  `json:"fact"`
	Advice  string  `json:"advice,omitempty"` // unless it is ok
}

// Seen is what there is to judge.
type Seen struct {
	Tusq     string // this binary's version
	Schema   migrations.Status
	Database repository.Inspection
}

// Bounds beyond which something is worth a thought, or wrong.
const (
	longTransaction    = time.Minute
	endlessTransaction = 15 * time.Minute
	muchLag            = 10 * time.Second
	slowNotify         = 100 * time.Millisecond
	slowCommit         = 50 * time.Millisecond
	muchLog            = 8 << 30 // bytes that an unused slot keeps
	deadFew            = 50_000  // dead rows that are no matter
	clockApart         = 5 * time.Second
)

// Judge judges everything. A line whose part of the database could not be looked at is a problem.
func Judge(s Seen) []Line {
	lines := []Line{
		{"version", OK, fmt.Sprintf("tusq %s, PostgreSQL %s", s.Tusq, cmp.Or(s.Database.Version, "unknown")), ""},
		schema(s.Schema),
	}
	d := s.Database
	for _, j := range judges {
		line := j.judge(d)
		for _, part := range j.of {
			if err := d.Failed[part]; err != nil {
				line = unknown(line.Name, err)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// judges make a line each of the parts that they go by.
var judges = []struct {
	judge func(repository.Inspection) Line
	of    []repository.Part
}{
	{encryption, nil},
	{recovery, []repository.Part{repository.PartServer}},
	{fsync, []repository.Part{repository.PartServer}},
	{fullPages, []repository.Part{repository.PartServer}},
	{checksums, []repository.Part{repository.PartServer}},
	{level, []repository.Part{repository.PartServer}},
	{queueLevels, []repository.Part{repository.PartServer, repository.PartTables}},
	{standbys, []repository.Part{repository.PartServer, repository.PartStandbys}},
	{slots, []repository.Part{repository.PartStandbys}},
	{transactions, []repository.Part{repository.PartTransactions}},
	{deadRows, []repository.Part{repository.PartTables}},
	{autovacuum, []repository.Part{repository.PartServer, repository.PartTables}},
	{connections, []repository.Part{repository.PartServer}},
	{clock, []repository.Part{repository.PartClock}},
	{commit, []repository.Part{repository.PartCommit}},
	{notify, []repository.Part{repository.PartNotify}},
	{sight, []repository.Part{repository.PartServer}},
}

// unknown is the line of what could not be looked at.
func unknown(name string, err error) Line {
	return Line{name, Problem, "not known: " + strings.Join(strings.Fields(err.Error()), " "), "PostgreSQL's log may say more."}
}

// Sick tells whether a line is a problem.
func Sick(lines []Line) bool {
	return slices.ContainsFunc(lines, func(l Line) bool { return l.Verdict == Problem })
}

// Print writes the lines for people, advice below its line.
func Print(out io.Writer, lines []Line) {
	for _, l := range lines {
		fmt.Fprintf(out, "%-8s %-16s %s\n", l.Verdict, l.Name, l.Fact)
		if l.Advice != "" {
			fmt.Fprintf(out, "%-25s → %s\n", "", l.Advice)
		}
	}
}

// judged is a line that is ok unless it is bad, and then has advice.
func judged(name, fact string, bad bool, verdict Verdict, advice string) Line {
	if !bad {
		return Line{Name: name, Verdict: OK, Fact: fact}
	}
	return Line{Name: name, Verdict: verdict, Fact: fact, Advice: advice}
}

func schema(s migrations.Status) Line {
	fact := fmt.Sprintf("version %d; this binary has %d", s.Database, s.Binary)
	if s.OldestSupported > s.Binary {
		return Line{"schema", Problem, fact, "The database was migrated by a newer tusq, which this one cannot work with: upgrade it."}
	}
	return judged("schema", fact, !s.Current(), Problem, "Run tusq migrate up; serve does so when it starts.")
}

func recovery(d repository.Inspection) Line {
	if d.Recovering {
		return Line{"role", Problem, "standby, read only", "Point tusq at the primary: name all hosts in the URL."}
	}
	if d.ReadOnly {
		return Line{"role", Problem, "primary, read only", "Nothing can be sent: default_transaction_read_only is on, for the server, the database or the role."}
	}
	return Line{"role", OK, "primary", ""}
}

func setting(name string, d repository.Inspection, verdict Verdict, advice string) Line {
	return judged(name, d.Settings[name], d.Settings[name] == "off", verdict, advice)
}

func fsync(d repository.Inspection) Line {
	return setting("fsync", d, Problem, "A power loss may destroy the database. Set fsync = on, unless all of it may be lost.")
}

func fullPages(d repository.Inspection) Line {
	return setting("full_page_writes", d, Problem, "A power loss may leave pages that are written by half. Set full_page_writes = on.")
}

func checksums(d repository.Inspection) Line {
	return setting("data_checksums", d, Warning, "Damage by disks and memory is not noticed. Stop PostgreSQL and run pg_checksums --enable.")
}

// levels say what an acknowledged send has outlived, by synchronous_commit.
var levels = map[string]string{
	"off":          "in PostgreSQL's memory (async)",
	"local":        "on the primary's disk (local)",
	"remote_write": "on the primary's disk and in a standby's memory",
	"on":           "on the disks of the primary and of a standby (quorum)",
	"remote_apply": "on the disks of the primary and of a standby, and visible there (applied)",
}

// level is what a queue without a durability of its own has.
func level(d repository.Inspection) Line {
	commit, names := d.Settings["synchronous_commit"], d.Settings["synchronous_standby_names"]
	effective := commit
	if names == "" && commit != "off" {
		effective = "local"
	}
	fact := fmt.Sprintf("%s: synchronous_commit = %s, synchronous_standby_names = '%s'", levels[effective], commit, names)
	return judged("default level", fact, commit == "off", Warning,
		"A crash of PostgreSQL takes the last moments of queues whose durability is default. Set synchronous_commit = on, and give queues that may lose messages the durability async.")
}

// queueLevels tells of queues that are promised what cannot be kept.
func queueLevels(d repository.Inspection) Line {
	var parts []string
	for _, level := range []string{"default", "async", "local", "quorum", "applied"} {
		if n := d.Levels[level]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, level))
		}
	}
	fact := "no queues"
	if len(parts) > 0 {
		fact = strings.Join(parts, ", ")
	}
	broken := d.Levels["quorum"]+d.Levels["applied"] > 0 && d.Settings["synchronous_standby_names"] == ""
	return judged("queues' levels", fact, broken, Problem,
		"Sends to queues of quorum and applied are answered with 503: set synchronous_standby_names, or their durability to local.")
}

func standbys(d repository.Inspection) Line {
	synchronous, slow := 0, ""
	facts := make([]string, len(d.Standbys))
	for i, s := range d.Standbys {
		facts[i] = fmt.Sprintf("%s %s %s, %v behind (%s)", s.Name, s.Sync, s.State, s.Lag.Round(time.Millisecond), bytes(s.LagBytes))
		if s.Sync == "sync" || s.Sync == "quorum" {
			synchronous++
		}
		if s.Lag > muchLag {
			slow = s.Name
		}
	}
	fact := "none"
	if len(facts) > 0 {
		fact = strings.Join(facts, "; ")
	}
	switch {
	case d.Settings["synchronous_standby_names"] != "" && synchronous == 0 && d.SeesAll && !d.Recovering:
		return Line{"standbys", Problem, fact, "A synchronous standby is named and none is there: commits wait for it. Bring it back, or take its name out of synchronous_standby_names."}
	case slow != "":
		return Line{"standbys", Warning, fact, "The standby " + slow + " is far behind: a failover to it takes as long, and loses what it lacks unless it is synchronous."}
	}
	return Line{"standbys", OK, fact, ""}
}

func slots(d repository.Inspection) Line {
	fact, much := "none", false
	var facts []string
	for _, s := range d.Slots {
		facts = append(facts, fmt.Sprintf("%s keeps %s of the log", s.Name, bytes(s.Retained)))
		much = much || s.Retained > muchLog
	}
	if len(facts) > 0 {
		fact = strings.Join(facts, "; ")
	}
	verdict := Warning
	if much {
		verdict = Problem
	}
	return judged("unused slots", fact, len(d.Slots) > 0, verdict,
		"A replication slot that nobody reads fills the disk with the log. Drop it with pg_drop_replication_slot if its standby is gone.")
}

func transactions(d repository.Inspection) Line {
	fact := fmt.Sprintf("the oldest began %v ago", d.OldestTransaction.Round(time.Millisecond))
	advice := fmt.Sprintf("While it is open vacuum removes nothing. Find it (SELECT * FROM pg_stat_activity WHERE pid = %d) and end it.", d.OldestPID)
	if d.Prepared > 0 {
		fact += fmt.Sprintf("; %d prepared", d.Prepared)
		advice = "Prepared transactions hold vacuum back until they end: see pg_prepared_xacts."
	}
	verdict := Warning
	if d.OldestTransaction > endlessTransaction {
		verdict = Problem
	}
	return judged("transactions", fact, d.OldestTransaction > longTransaction, verdict, advice)
}

func deadRows(d repository.Inspection) Line {
	fact := fmt.Sprintf("%d dead rows of messages, %d live", d.DeadRows, d.LiveRows)
	return judged("dead rows", fact, d.DeadRows > deadFew && d.DeadRows > d.LiveRows, Warning,
		"Vacuum does not keep up. Look for old transactions first, then at the autovacuum settings.")
}

func autovacuum(d repository.Inspection) Line {
	fact := fmt.Sprintf("%s, naptime %s, cost delay %s, %s workers", d.Settings["autovacuum"], d.Settings["autovacuum_naptime"],
		d.Settings["autovacuum_vacuum_cost_delay"], d.Settings["autovacuum_max_workers"])
	if len(d.TableOff) > 0 {
		return Line{"autovacuum", Problem, fact + "; off for " + strings.Join(d.TableOff, ", "),
			"Switch it on: ALTER TABLE ... RESET (autovacuum_enabled)."}
	}
	if d.Settings["autovacuum"] == "off" {
		return Line{"autovacuum", Problem, fact, "Dead rows pile up until queues are slow. Set autovacuum = on."}
	}
	return judged("autovacuum", fact, strings.HasSuffix(d.Settings["autovacuum_naptime"], "min"), Warning,
		"A busy queue makes dead rows by the second: set autovacuum_naptime to 5s or so.")
}

func connections(d repository.Inspection) Line {
	fact := fmt.Sprintf("%d of %d", d.Connections, d.MaxConnections)
	verdict := Warning
	if d.Connections*20 >= d.MaxConnections*19 {
		verdict = Problem
	}
	return judged("connections", fact, d.Connections*10 >= d.MaxConnections*8, verdict,
		"A replica holds up to 27 of them: raise max_connections, or let others go through a pooler.")
}

func clock(d repository.Inspection) Line {
	fact := fmt.Sprintf("the database's is %v ahead of this host's, ± %v", d.ClockAhead.Round(time.Microsecond), d.ClockError.Round(time.Microsecond))
	if d.ClockAhead < 0 {
		fact = fmt.Sprintf("the database's is %v behind this host's, ± %v", -d.ClockAhead.Round(time.Microsecond), d.ClockError.Round(time.Microsecond))
	}
	return judged("clock", fact, d.ClockAhead.Abs() > clockApart, Warning,
		"tusq goes by the database's clock alone, but message ids carry this host's: synchronise both with NTP.")
}

func commit(d repository.Inspection) Line {
	if d.CommitStuck > 0 {
		return Line{"commit", Problem, fmt.Sprintf("one did not end in %v", d.CommitStuck.Round(time.Millisecond)),
			"Sends wait as long. Does the disk write? Is a synchronous standby away? Bring it back, or take its name out of synchronous_standby_names."}
	}
	if d.CommitToDisk == 0 {
		return Line{"commit", OK, "not measured on a standby", ""}
	}
	fact := fmt.Sprintf("%v at the default level; a query that does nothing takes %v",
		d.CommitToDisk.Round(time.Microsecond), d.RoundTrip.Round(time.Microsecond))
	return judged("commit", fact, d.CommitToDisk > slowCommit, Warning,
		"Every send waits as long: a faster disk, a nearer standby, or the durability local or async for queues that may have it.")
}

func notify(d repository.Inspection) Line {
	switch {
	case d.Recovering:
		return Line{"notifications", OK, "not measured on a standby", ""}
	case d.NotifyDelay == 0:
		return Line{"notifications", Warning, "none came",
			"Receivers that wait learn of messages sent through other replicas after a second only. Connect directly, or through a pooler in session mode."}
	}
	return judged("notifications", fmt.Sprintf("%v from one connection to another", d.NotifyDelay.Round(time.Microsecond)),
		d.NotifyDelay > slowNotify, Warning, "Receivers that wait learn late of messages sent through other replicas: is the server overloaded?")
}

// encryption tells whether others on the way can read what the database is told.
func encryption(d repository.Inspection) Line {
	fact := "the connection is not encrypted, and stays on this host"
	switch {
	case d.Encrypted:
		fact = "the connection is encrypted"
	case d.Remote:
		fact = "the connection is not encrypted"
	}
	return judged("encryption", fact, d.Remote && !d.Encrypted, Warning,
		"Messages cross the network as they are. Put sslmode=verify-full&sslrootcert=FILE into the database's URL.")
}

// sight tells whether the other lines say all.
func sight(d repository.Inspection) Line {
	fact := "all sessions can be seen"
	if !d.SeesAll {
		fact = "only this role's own sessions can be seen"
	}
	return judged("sight", fact, !d.SeesAll, Warning,
		"Old transactions and standbys of other roles may be missing above: GRANT pg_read_all_stats to tusq's role.")
}

func bytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
