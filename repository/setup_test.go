package repository

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/canary"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const account = "000000000000"

// store is a repository on a database of its own, with a queue.
type store struct {
	*Repository
	t     testing.TB
	ctx   context.Context
	url   string
	queue service.Queue
}

func setup(t *testing.T) *store {
	t.Helper()
	t.Parallel()
	return setupBench(t)
}

// setupBench is setup for a benchmark.
func setupBench(t testing.TB) *store {
	t.Helper()
	return on(t, pgtest.New(t))
}

// on is a store on a database.
func on(t testing.TB, url string) *store {
	t.Helper()
	s := &store{t: t, url: url}
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	var err error
	s.Repository, err = Open(s.ctx, Options{URL: s.url, Replica: t.Name(), HotConnections: 2, Logger: canary.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.queue = s.create("orders")
	return s
}

func (s *store) create(name string) service.Queue {
	s.t.Helper()
	settings := service.DefaultSettings()
	settings.FIFO = service.IsFIFO(name)
	queue, _, err := s.CreateQueue(s.ctx, service.Queue{ID: time.Now().UnixNano(), Account: account, Name: name, Settings: settings}, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return queue
}

// flush flushes work on the queue and returns it with its answers.
func (s *store) flush(w service.QueueWork) service.QueueWork {
	s.t.Helper()
	w.QueueID = s.queue.ID
	work := []service.QueueWork{w}
	if err := s.Flush(s.ctx, work, nil); err != nil {
		s.t.Fatalf("flush: %v", err)
	}
	return work[0]
}

func outgoing(n int) []*service.Outgoing {
	messages := make([]*service.Outgoing, n)
	for i := range messages {
		messages[i] = &service.Outgoing{ID: service.MessageID(uuid.Must(uuid.NewV7())), Body: fmt.Sprint(i)}
	}
	return messages
}

func (s *store) send(n int) []*service.Outgoing {
	s.t.Helper()
	messages := outgoing(n)
	s.flush(service.QueueWork{Sends: messages})
	return messages
}

func claim(n int) *service.Claim {
	return &service.Claim{Max: n, Returned: n / 2, Visibility: time.Minute, Retention: time.Hour, Lease: time.Now().UnixNano()}
}

func (s *store) claim(n int) *service.Claim {
	s.t.Helper()
	c := claim(n)
	s.flush(service.QueueWork{Claims: []*service.Claim{c}})
	return c
}

func (s *store) stats() service.Stats {
	s.t.Helper()
	stats, err := s.QueueStats(s.ctx, s.queue.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return stats
}

func (s *store) wantStats(want service.Stats) {
	s.t.Helper()
	if got := s.stats(); got != want {
		s.t.Errorf("the queue holds %+v, want %+v", got, want)
	}
}

func (s *store) execute(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.cold.Exec(s.ctx, sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// plan is a node of EXPLAIN's JSON.
type plan struct {
	Type      string `json:"Node Type"`
	Index     string `json:"Index Name"`
	Relation  string `json:"Relation Name"`
	Condition string `json:"Index Cond"`
	Filter    string `json:"Filter"`
	Plans     []plan `json:"Plans"`
	Hit       int    `json:"Shared Hit Blocks"`
	Read      int    `json:"Shared Read Blocks"`
	Removed   int    `json:"Rows Removed by Filter"`
	WAL       int    `json:"WAL Bytes"`
}

// pages is how many pages a statement touched.
func (p plan) pages() int { return p.total(func(p plan) int { return p.Hit + p.Read }) }

// log is how many bytes a statement wrote to the log.
func (p plan) log() int { return p.total(func(p plan) int { return p.WAL }) }

// total adds up what each node counted beyond its children's. The root alone would leave out
// the parts that change rows and that it does not read. Who reads a part first counts what
// the part itself counts, too.
func (p plan) total(count func(plan) int) int {
	own, all := count(p), 0
	for _, child := range p.Plans {
		own -= count(child)
		all += child.total(count)
	}
	if p.Type == "CTE Scan" {
		return all
	}
	return all + max(own, 0)
}

func (p plan) walk(visit func(plan)) {
	visit(p)
	for _, child := range p.Plans {
		child.walk(visit)
	}
}

// explain runs a statement on a hot connection as flushes do, prepared and with a plan
// for any parameters, rolls it back, and returns that plan.
func (s *store) explain(sql string, args ...any) plan {
	s.t.Helper()
	conn, err := pgx.Connect(s.ctx, s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.ctx)
	for name, value := range hotPlans {
		if _, err := conn.Exec(s.ctx, "SET "+name+" = "+value); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := conn.Exec(s.ctx, "PREPARE hot AS "+sql); err != nil {
		s.t.Fatal(err)
	}
	literals := make([]string, len(args))
	for i, a := range args {
		literals[i] = literal(a)
	}
	tx, err := conn.Begin(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	var text []byte
	explain := "EXPLAIN (ANALYZE, BUFFERS, WAL, FORMAT JSON) EXECUTE hot"
	if len(args) > 0 {
		explain += "(" + strings.Join(literals, ", ") + ")"
	}
	if err := tx.QueryRow(s.ctx, explain, pgx.QueryExecModeSimpleProtocol).Scan(&text); err != nil {
		s.t.Fatalf("%s: %v", explain, err)
	}
	if err := tx.Rollback(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal(text, &plans); err != nil {
		s.t.Fatal(err)
	}
	return plans[0].Plan
}

// literal writes a parameter as SQL.
func literal(value any) string {
	switch v := value.(type) {
	case []service.MessageID:
		texts := make([]string, len(v))
		for i, id := range v {
			texts[i] = uuid.UUID(id).String()
		}
		return "'{" + strings.Join(texts, ",") + "}'"
	case []int64:
		return "'{" + strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]") + "}'"
	case []string:
		return "'{" + strings.Join(v, ",") + "}'"
	}
	return fmt.Sprint(value)
}
