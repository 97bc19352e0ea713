package repository

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tusq/service"
)

// BenchmarkLifeCycle sends, claims and deletes messages of 256 bytes in batches, each in a
// transaction of its own, and tells how long each takes. An empty query is beside them.
//
//	go test ./repository -run XXX -bench LifeCycle/standard -benchtime 500x
func BenchmarkLifeCycle(b *testing.B) {
	for _, n := range []int{1, 20, 100} {
		b.Run(fmt.Sprintf("standard/%d", n), func(b *testing.B) { benchLifeCycle(b, n) })
	}
}

func benchLifeCycle(b *testing.B, n int) {
	s := setupBench(b)
	body := strings.Repeat("x", 256)
	var floor service.Floor
	spent := map[string]time.Duration{}
	spend := func(what string, work service.QueueWork) {
		start := time.Now()
		s.flush(work)
		spent[what] += time.Since(start)
	}
	for b.Loop() {
		messages := outgoing(n)
		for _, m := range messages {
			m.Body = body
		}
		spend("send", service.QueueWork{Sends: messages})
		c := claim(n)
		c.From = floor
		spend("claim", service.QueueWork{Claims: []*service.Claim{c}})
		floor = c.Floor
		deletes := make([]*service.Settlement, len(c.Messages))
		for i, m := range c.Messages {
			deletes[i] = &service.Settlement{ID: m.ID, Lease: m.Lease}
		}
		spend("delete", service.QueueWork{Deletes: deletes})
		start := time.Now()
		if _, err := s.hot.Exec(s.ctx, "SELECT 1"); err != nil {
			b.Fatal(err)
		}
		spent["empty"] += time.Since(start)
	}
	for what, time := range spent {
		b.ReportMetric(float64(time.Microseconds())/float64(b.N), what+"-us")
	}
}
