package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Table writes tusq's workloads beside the limits, as Markdown.
func (s *Set) Table() string {
	t := markdown{}
	t.head("workload", "REST", "SQS JSON", "limit", "REST / limit", "SQS / limit")
	for _, w := range Workloads {
		if !s.tried(REST, w.Key) && !s.tried(SQS, w.Key) {
			continue
		}
		what, limit := s.limit(w)
		t.row(w.Key+": "+w.Title, s.cell(REST, w), s.cell(SQS, w), what,
			ratio(s.rate(REST, w.Key).over(limit)), ratio(s.rate(SQS, w.Key).over(limit)))
	}
	return t.String() + s.limits() + s.costs() + s.problems(REST, SQS, Handler, Inserts)
}

// limit says what a workload is compared with: the no-op handler, SQL inserts, or another workload of the same series
// (then there is no common value, and cell shows the ratio).
func (s *Set) limit(w Workload) (string, value) {
	share := w.handlerShare()
	switch {
	case w.Groups > 0 || w.Backlog || w.Kind == "latency":
		return "", value{}
	case w.Batch >= 100:
		v := s.rate(Inserts, w.Key)
		return named("SQL", v), v
	case share == 0:
		return "", value{}
	}
	v := s.rate(Handler, "W1")
	v.median /= share
	if share > 1 {
		return named(fmt.Sprintf("no-op / %.0f", share), v), v
	}
	return named("no-op", v), v
}

func named(name string, v value) string {
	if !v.known {
		return ""
	}
	return name + " " + count(v.median)
}

// cell is a series' figure in a workload: its rate, or its latency, and the ratio to its baseline.
func (s *Set) cell(series string, w Workload) string {
	if !s.tried(series, w.Key) {
		return ""
	}
	if len(s.of(series, w.Key)) == 0 {
		return "failed"
	}
	if w.Kind == "latency" {
		low, high := s.median(series, w.Key, p50), s.median(series, w.Key, p99)
		if !low.known {
			return "failed"
		}
		return fmt.Sprintf("%s / %s ms", millis(low.median), millis(high.median))
	}
	rate := s.rate(series, w.Key)
	if !rate.known {
		return "failed"
	}
	text := count(rate.median)
	if compared := rate.over(s.rate(series, w.Baseline)); compared.known {
		text += fmt.Sprintf(" (%.2f of %s)", compared.median, w.Baseline)
	}
	return text
}

// limits names the limits' own figures.
func (s *Set) limits() string {
	t := markdown{}
	t.head("limit", "per second")
	for _, row := range []struct{ title, series, workload string }{
		{"no-op `net/http` handler, W1's requests", Handler, "W1"},
		{"SQL: single inserts, a commit each, 64 connections", Inserts, "W1"},
		{"SQL: inserts of 100 rows, 16 connections, rows", Inserts, "B100"},
	} {
		if s.tried(row.series, row.workload) {
			t.row(row.title, orFailed(count, s.rate(row.series, row.workload)))
		}
	}
	return t.block()
}

// costs says what a message cost the processes. Only workloads that somebody measured it in have a row.
func (s *Set) costs() string {
	t := markdown{}
	t.head("per message", "tusq, us of CPU", "PostgreSQL, us of CPU", "load, us of CPU", "WAL, bytes", "fsyncs per second", "tusq, peak MB")
	for _, series := range []struct{ name, title string }{{REST, "REST"}, {SQS, "SQS"}} {
		for _, w := range Workloads {
			row := s.cost(series.name, w.Key)
			if slices.ContainsFunc(row, func(cell string) bool { return cell != "" }) {
				t.row(append([]string{series.title + " " + w.Key}, row...)...)
			}
		}
	}
	return t.block()
}

func (s *Set) cost(series, workload string) []string {
	of := func(get func(*Server) (float64, bool)) string {
		v := s.median(series, workload, func(r *Report) (float64, bool) {
			if r.Server == nil {
				return 0, false
			}
			return get(r.Server)
		})
		if !v.known {
			return ""
		}
		return count(v.median)
	}
	cpu := func(command string) string {
		return of(func(s *Server) (float64, bool) { v, ok := s.CPUPerMessage[command]; return v, ok })
	}
	return []string{cpu("tusq"), cpu("postgres"),
		of(func(s *Server) (float64, bool) { return deref(s.ClientPerMessage) }),
		of(func(s *Server) (float64, bool) { return deref(s.WALBytesPerMessage) }),
		of(func(s *Server) (float64, bool) { return deref(s.FsyncsPerSecond) }),
		of(func(s *Server) (float64, bool) { v, ok := s.PeakRSS["tusq"]; return float64(v) / 1e6, ok })}
}

// PeerTable writes tusq beside other systems, one a row, as Markdown.
func (s *Set) PeerTable() string {
	t := markdown{}
	titles, shown := []string{"system"}, []Workload{}
	for _, w := range Workloads {
		if w.Peers && slices.ContainsFunc(s.Runs, func(run Run) bool { return run.Workload == w.Key }) {
			titles, shown = append(titles, w.Key+": "+w.Title), append(shown, w)
		}
	}
	t.head(append(titles, "a send's answer", "a settled message's answer")...)
	names := []string{}
	for _, series := range s.Series {
		row := []string{series.Title}
		for _, w := range shown {
			row = append(row, s.cell(series.Name, w))
		}
		t.row(append(row, series.Send, series.Settle)...)
		names = append(names, series.Name)
	}
	return t.String() + "\nPGMQ is not measured: no package registry has its SQL.\n" + s.problems(names...)
}

// problems lists what failed, each kind once, so that nothing is dropped in silence.
func (s *Set) problems(names ...string) string {
	var lines []string
	for _, run := range s.Runs {
		if !slices.Contains(names, run.Series) {
			continue
		}
		line := ""
		switch {
		case run.Error != "":
			line = fmt.Sprintf("- %s, %s, round %d: failed: %s", run.Series, run.Workload, run.Round, oneLine(run.Error))
		case run.Report != nil && run.Report.failures() > 0:
			line = fmt.Sprintf("- %s, %s, round %d: %d failed calls", run.Series, run.Workload, run.Round, run.Report.failures())
		}
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "\nWhat failed:\n\n" + strings.Join(lines, "\n") + "\n"
}

// oneLine shortens an error to what fits a list.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 200 {
		return string(runes[:200]) + "..."
	}
	return text
}

func orFailed(format func(float64) string, v value) string {
	if !v.known {
		return "failed"
	}
	return format(v.median)
}

func ratio(v value) string {
	if !v.known {
		return ""
	}
	return strconv.FormatFloat(v.median, 'f', 2, 64)
}

// count writes a number with three significant digits and separated thousands.
func count(v float64) string {
	unit := 1.0
	for v/unit >= 1000 {
		unit *= 10
	}
	whole := int64(v/unit+0.5) * int64(unit)
	text := strconv.FormatInt(whole, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func millis(v float64) string {
	if v < 10 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func deref(v *float64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return *v, true
}
