package repository

import (
	"fmt"
	"testing"
	"time"

	"tusq/service"
)

// BenchmarkFIFOLifeCycle sends, receives and deletes ten messages in the three statements'
// own flushes, behind a small and a large backlog, which stays as it is.
func BenchmarkFIFOLifeCycle(b *testing.B) {
	for _, groups := range []int{1, 1000} {
		for _, backlog := range []int{10, 1_000_000} {
			b.Run(fmt.Sprintf("groups=%d/backlog=%d", groups, backlog), func(b *testing.B) {
				s := setupBench(b)
				queue := s.create("bench.fifo")
				s.fillFIFO(queue.ID, backlog, max(backlog/groups, 1))
				s.execute("VACUUM ANALYZE")
				s.queue = queue
				var received time.Duration
				for b.Loop() {
					sends := outgoing(10)
					claim := &service.Claim{Max: 10, PerCaller: 10, Visibility: time.Minute, Retention: time.Hour, Lease: time.Now().UnixNano()}
					began := time.Now()
					s.flushFIFO(service.QueueWork{Claims: []*service.Claim{claim}})
					received += time.Since(began)
					if len(claim.Messages) == 0 {
						b.Fatal("nothing received")
					}
					deletes := make([]*service.Settlement, len(claim.Messages))
					for i, m := range claim.Messages {
						deletes[i] = &service.Settlement{ID: m.ID, Lease: m.Lease, GroupID: m.Message.GroupID}
						sends[i].GroupID, sends[i].Key = m.Message.GroupID, service.Key(sends[i].ID)
					}
					s.flushFIFO(service.QueueWork{Deletes: deletes})
					s.flushFIFO(service.QueueWork{Sends: sends[:len(deletes)]})
				}
				b.ReportMetric(float64(received.Microseconds())/float64(b.N), "us/receive")
			})
		}
	}
}

func (s *store) flushFIFO(w service.QueueWork) {
	w.FIFO = true
	s.flush(w)
}
