package report

import (
	"fmt"
	"os"
	"strings"
)

// markdown builds a table: the first column is text, the others are figures.
type markdown struct {
	lines []string
}

func (m *markdown) head(titles ...string) {
	m.row(titles...)
	m.lines = append(m.lines, "|---"+strings.Repeat("|--:", len(titles)-1)+"|")
}

func (m *markdown) row(cells ...string) {
	m.lines = append(m.lines, "| "+strings.Join(cells, " | ")+" |")
}

func (m *markdown) String() string { return strings.Join(m.lines, "\n") + "\n" }

// block is the table after another one, or nothing when it has no rows.
func (m *markdown) block() string {
	if len(m.lines) < 3 {
		return ""
	}
	return "\n" + m.String()
}

// Intro says when, where and how the set was measured.
func (s *Set) Intro() string {
	return fmt.Sprintf("Measured on %s, commit %s: %d cores shared by servers and load, %s of memory, %s, PostgreSQL %s; %d-byte bodies. "+
		"Messages per second unless said otherwise (of a life cycle, those sent or those deleted, whichever are fewer), medians of %d rounds of %g s; latencies are p50 / p99; %s messages wait in W5 and F5. "+
		"Every run has servers of its own, new and empty. Made by `%s`.\n\n",
		s.Date.Format("2006-01-02"), s.Commit, s.Machine.Cores, s.Machine.Memory, s.Machine.Kernel, s.Machine.PostgreSQL, Size,
		s.Rounds, s.Seconds, count(float64(s.Backlog)), s.Command)
}

// Replace puts text between `<!-- name:begin -->` and `<!-- name:end -->` in a file; the rest of it is kept.
func Replace(path, name, text string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+":begin -->", "<!-- "+name+":end -->"
	before, rest, found := strings.Cut(string(old), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no section between %s and %s", path, begin, end)
	}
	fresh := before + begin + "\n" + text + end + after
	return os.WriteFile(path, []byte(fresh), info.Mode().Perm())
}
