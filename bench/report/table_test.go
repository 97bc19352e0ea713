package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ran adds a run whose last call had a rate.
func ran(s *Set, round int, series, workload string, rate float64) {
	raw := fmt.Sprintf(`{"calls":[{"name":"send","messages_per_second":%g},{"name":"receive","messages_per_second":1},{"name":"delete","messages_per_second":%g}],
		"server":{"cpu_us_per_message":{"tusq":%g,"postgres":20},"client_cpu_us_per_message":null,"wal_bytes_per_message":1300,"peak_rss_bytes":{"tusq":50000000}}}`, rate, 2*rate, rate/1000)
	s.Add(Run{Round: round, Series: series, Workload: workload, Raw: json.RawMessage(raw)})
}

func waited(s *Set, series, workload string, p50, p99 float64) {
	raw := fmt.Sprintf(`{"calls":[{"name":"send","messages_per_second":100}],"end_to_end":{"messages":500,"p50_ms":%g,"p99_ms":%g}}`, p50, p99)
	s.Add(Run{Round: 1, Series: series, Workload: workload, Raw: json.RawMessage(raw)})
}

func lineOf(t *testing.T, table, prefix string) string {
	t.Helper()
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no line %q in\n%s", prefix, table)
	return ""
}

func wantLines(t *testing.T, table string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if prefix, _, _ := strings.Cut(line, " |"); lineOf(t, table, prefix+" |") != line {
			t.Errorf("got  %s\nwant %s", lineOf(t, table, prefix+" |"), line)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	s := &Set{}
	for round, rate := range []float64{18_000, 30_000, 20_000} { // the median is not the mean
		ran(s, round+1, REST, "W1", rate)
		ran(s, round+1, Handler, "W1", 2*rate)
	}
	ran(s, 1, SQS, "W1", 10_000)
	ran(s, 1, REST, "W2", 6000)
	ran(s, 1, REST, "W3", 20_000)
	ran(s, 1, REST, "W5", 19_000)
	ran(s, 1, REST, "B100", 60_000)
	ran(s, 1, Inserts, "B100", 120_000)
	ran(s, 1, Inserts, "W1", 24_000)
	waited(s, REST, "W4", 0.8123, 12.3)
	wantLines(t, s.Table(),
		"| W1: single sends, 64 connections | 20,000 | 10,000 | no-op 40,000 | 0.50 | 0.25 |",
		"| W2: life cycle by single calls, 32 + 32 | 6,000 |  | no-op / 3 13,300 | 0.45 |  |",
		"| W3: life cycle in batches of 10, 8 + 8 | 20,000 |  |  |  |  |",
		"| W5: W3 with many messages waiting | 19,000 (0.95 of W3) |  |  |  |  |",
		"| B100: sends in batches of 100, 16 connections | 60,000 |  | SQL 120,000 | 0.50 |  |",
		"| W4: send to receive at 100 msg/s | 0.81 / 12 ms |  |  |  |  |",
		"| SQL: single inserts, a commit each, 64 connections | 24,000 |",
		"| REST W1 | 20 | 20 |  | 1,300 |  | 50 |",
	)
}

func TestFailuresAreShown(t *testing.T) {
	t.Parallel()
	s := &Set{Series: []Series{{Name: "river", Title: "River", Send: "committed", Settle: "counted"}, {Name: REST, Title: "tusq"}}}
	s.Add(Run{Round: 2, Series: "river", Workload: "W1", Error: "start: no\nserver"})
	s.Add(Run{Round: 1, Series: "river", Workload: "W2", Raw: json.RawMessage("not JSON")})
	s.Add(Run{Round: 1, Series: REST, Workload: "W1",
		Raw: json.RawMessage(`{"calls":[{"name":"send","messages_per_second":50,"errors":{"503":3,"no answer":4}}]}`)})
	table := s.PeerTable()
	wantLines(t, table,
		"| River | failed | failed | committed | counted |",
		"| tusq | 50 |  |  |  |")
	for _, line := range []string{"- river, W1, round 2: failed: start: no server", "- river, W2, round 1: failed: the report cannot be read", "- tusq-rest, W1, round 1: 7 failed calls"} {
		if !strings.Contains(table, line) {
			t.Errorf("no %q in\n%s", line, table)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0.4: "0", 7.6: "8", 999.7: "1,000", 1234: "1,230", 38_649: "38,600", 1e6: "1,000,000"} {
		if got := count(v); got != want {
			t.Errorf("count(%g) = %s, want %s", v, got, want)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	page := "above\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nbetween\n<!-- peers:begin -->\n<!-- peers:end -->\nbelow\n"
	must(t, os.WriteFile(path, []byte(page), 0o640))
	s := &Set{Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: "make bench", Rounds: 3, Seconds: 5}
	for range 2 { // the second finds what the first wrote
		must(t, Replace(path, "bench", s.Intro()+"new\n"))
	}
	got, err := os.ReadFile(path)
	must(t, err)
	before, rest, _ := strings.Cut(string(got), "<!-- bench:begin -->\n")
	section, after, _ := strings.Cut(rest, "<!-- bench:end -->")
	if before != "above\n" || !strings.HasPrefix(section, "Measured on 2026-01-02") || !strings.HasSuffix(section, "\n\nnew\n") ||
		after != "\nbetween\n<!-- peers:begin -->\n<!-- peers:end -->\nbelow\n" {
		t.Errorf("the page is\n%s", got)
	}
	if err := Replace(path, "limits", "text"); err == nil {
		t.Error("a section that is not there was replaced")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRateIsThatOfTheSlowerEnd(t *testing.T) {
	t.Parallel()
	for _, ends := range [][2]float64{{5000, 16_000}, {16_000, 5000}} {
		r := Report{Calls: []Calls{{MessagesPerSecond: ends[0]}, {MessagesPerSecond: 1}, {MessagesPerSecond: ends[1]}}}
		if rate, ok := r.Rate(); rate != 5000 || !ok {
			t.Errorf("%v: %g, %v", ends, rate, ok)
		}
	}
	if _, ok := (&Report{}).Rate(); ok {
		t.Error("no call has a rate")
	}
}
