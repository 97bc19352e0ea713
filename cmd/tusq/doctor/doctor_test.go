package doctor

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/migrations"
	"tusq/repository"
)

// healthy is a database of which nothing is to be said.
func healthy() Seen {
	return Seen{
		Tusq:   "v1",
		Schema: migrations.Status{Database: 4, Binary: 4, OldestSupported: 1},
		Database: repository.Inspection{
			Version: "15.1", SeesAll: true,
			Settings: map[string]string{
				"fsync": "on", "full_page_writes": "on", "data_checksums": "on", "synchronous_commit": "on",
				"synchronous_standby_names": "ANY 1 (b)", "autovacuum": "on", "autovacuum_naptime": "5s",
			},
			Standbys:    []repository.Standby{{Name: "b", State: "streaming", Sync: "quorum"}},
			Levels:      map[string]int64{"default": 3, "quorum": 1},
			Connections: 10, MaxConnections: 97, LiveRows: 10,
			RoundTrip: time.Millisecond, CommitToDisk: 2 * time.Millisecond, NotifyDelay: time.Millisecond,
		},
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, l := range Judge(healthy()) {
		if l.Verdict != OK || l.Fact == "" || l.Advice != "" {
			t.Errorf("a healthy database: %+v", l)
		}
	}
	set := func(name, value string) func(*Seen) {
		return func(s *Seen) { s.Database.Settings[name] = value }
	}
	fail := func(part repository.Part) func(*Seen) {
		return func(s *Seen) { s.Database.Failed = map[repository.Part]error{part: errors.New("refused")} }
	}
	for name, test := range map[string]struct {
		sicken  func(*Seen)
		line    string
		verdict Verdict
	}{
		"schema is old":     {func(s *Seen) { s.Schema.Binary = 5 }, "schema", Problem},
		"schema is too new": {func(s *Seen) { s.Schema.OldestSupported, s.Schema.Database = 9, 9 }, "schema", Problem},
		"not encrypted":     {func(s *Seen) { s.Database.Remote = true }, "encryption", Warning},
		"standby":           {func(s *Seen) { s.Database.Recovering = true }, "role", Problem},
		"read only":         {func(s *Seen) { s.Database.ReadOnly = true }, "role", Problem},
		"fsync":             {set("fsync", "off"), "fsync", Problem},
		"pages":             {set("full_page_writes", "off"), "full_page_writes", Problem},
		"checksums":         {set("data_checksums", "off"), "data_checksums", Warning},
		"commits":           {set("synchronous_commit", "off"), "default level", Warning},
		"no standby named":  {set("synchronous_standby_names", ""), "queues' levels", Problem},
		"standby away":      {func(s *Seen) { s.Database.Standbys = nil }, "standbys", Problem},
		"standby lags":      {func(s *Seen) { s.Database.Standbys[0].Lag = time.Minute }, "standbys", Warning},
		"slot":              {func(s *Seen) { s.Database.Slots = []repository.Slot{{Name: "x", Retained: 1}} }, "unused slots", Warning},
		"slot with much":    {func(s *Seen) { s.Database.Slots = []repository.Slot{{Name: "x", Retained: 9 << 30}} }, "unused slots", Problem},
		"old transaction":   {func(s *Seen) { s.Database.OldestTransaction = 2 * time.Minute }, "transactions", Warning},
		"endless":           {func(s *Seen) { s.Database.OldestTransaction = time.Hour }, "transactions", Problem},
		"dead rows":         {func(s *Seen) { s.Database.DeadRows = 60_000 }, "dead rows", Warning},
		"autovacuum":        {set("autovacuum", "off"), "autovacuum", Problem},
		"autovacuum slow":   {set("autovacuum_naptime", "1min"), "autovacuum", Warning},
		"autovacuum table":  {func(s *Seen) { s.Database.TableOff = []string{"messages"} }, "autovacuum", Problem},
		"connections":       {func(s *Seen) { s.Database.Connections = 80 }, "connections", Warning},
		"connections gone":  {func(s *Seen) { s.Database.Connections = 97 }, "connections", Problem},
		"clock ahead":       {func(s *Seen) { s.Database.ClockAhead = time.Minute }, "clock", Warning},
		"clock behind":      {func(s *Seen) { s.Database.ClockAhead = -time.Minute }, "clock", Warning},
		"slow commit":       {func(s *Seen) { s.Database.CommitToDisk = time.Second }, "commit", Warning},
		"commit that hangs": {func(s *Seen) { s.Database.CommitStuck = time.Second }, "commit", Problem},
		"clock fails":       {fail(repository.PartClock), "clock", Problem},
		"commit fails":      {fail(repository.PartCommit), "commit", Problem},
		"no notifications":  {func(s *Seen) { s.Database.NotifyDelay = 0 }, "notifications", Warning},
		"slow notification": {func(s *Seen) { s.Database.NotifyDelay = time.Second }, "notifications", Warning},
		"no sight":          {func(s *Seen) { s.Database.SeesAll = false }, "sight", Warning},
	} {
		seen := healthy()
		seen.Database.Settings = maps.Clone(seen.Database.Settings)
		test.sicken(&seen)
		lines := Judge(seen)
		for _, l := range lines {
			bad := l.Name == test.line
			if bad && l.Verdict != test.verdict || !bad && l.Verdict != OK || (l.Advice != "") != bad {
				t.Errorf("%s: %+v, want %s of %s alone", name, l, test.verdict, test.line)
			}
		}
		if Sick(lines) != (test.verdict == Problem) {
			t.Errorf("%s: sick %v", name, Sick(lines))
		}
	}
}

// TestWhatCannotBeLookedAt makes its lines problems, and leaves the others.
func TestWhatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	all := len(Judge(healthy()))
	for _, part := range []repository.Part{
		repository.PartServer, repository.PartTables, repository.PartTransactions, repository.PartStandbys,
		repository.PartClock, repository.PartNotify, repository.PartCommit,
	} {
		lines := Judge(Seen{Database: repository.Inspection{Failed: map[repository.Part]error{part: errors.New("refused:\n\twhy")}}})
		told := slices.ContainsFunc(lines, func(l Line) bool { return l.Verdict == Problem && l.Fact == "not known: refused: why" })
		if len(lines) != all || !told {
			t.Errorf("%s: %v, want %d lines and the problem", part, lines, all)
		}
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	Print(&out, []Line{{"fsync", Problem, "off", "Set it."}, {"clock", OK, "right", ""}})
	want := "problem  fsync            off\n" + strings.Repeat(" ", 26) + "→ Set it.\nok       clock            right\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}
