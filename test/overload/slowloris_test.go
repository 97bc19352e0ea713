package overload

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	slowClients  = 1000
	normal       = 8           // clients beside them
	window       = time.Second // of one measurement
	alternations = 7
)

// TestSlowClients has a thousand clients dribble headers and bodies while others work. The
// others' times with and without them are measured by turns, so that what else the
// machine does falls on both.
func TestSlowClients(t *testing.T) {
	s := serve(t, "")
	s.rest("", `{"name": "busy"}`).want(t, http.StatusCreated, "")
	s.work(window) // warm up
	var calm, slowed times
	for range alternations {
		calm.add(s.work(window))
		slow := s.startSlow(slowClients)
		slowed.add(s.work(window))
		if n := slow.open.Load(); n < slowClients*9/10 {
			t.Errorf("%d slow clients are connected: this tests nothing", n)
		}
		slow.stop()
	}
	t.Logf("a send took %v, and %v with %d slow clients", calm, slowed, slowClients)
	if median(slowed.p50) > 2*median(calm.p50) || median(slowed.p99) > 2*median(calm.p99)+grain {
		t.Errorf("slow clients have made others slower than twice: %v and %v", calm.p99, slowed.p99)
	}
	s.checkServing()
	s.checkMemory()
}

// grain is what the scheduler of a busy machine with two cores adds to a 99th percentile by
// chance. Clients that really keep others from being served add seconds.
const grain = 50 * time.Millisecond

// times are of calls in some windows.
type times struct{ p50, p99 []time.Duration }

func (t *times) add(window []time.Duration) {
	slices.Sort(window)
	t.p50 = append(t.p50, window[len(window)/2])
	t.p99 = append(t.p99, window[len(window)*99/100])
}

// String shows the medians of the windows.
func (t times) String() string {
	return fmt.Sprintf("%v (p50) and %v (p99)", median(t.p50).Round(10*time.Microsecond), median(t.p99).Round(10*time.Microsecond))
}

// work has clients send small messages for a time, each at least one, and returns how long each call took.
func (s *server) work(duration time.Duration) []time.Duration {
	s.t.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var clients sync.WaitGroup
	end := time.Now().Add(duration)
	for range normal {
		clients.Go(func() {
			for again := true; again; again = time.Now().Before(end) {
				a := s.rest("/busy/messages", `{"body": "small"}`)
				a.want(s.t, http.StatusCreated, "")
				mu.Lock()
				all = append(all, a.took)
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	return all
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// slowly are clients that send a byte now and then, and connect again when they are cut off.
type slowly struct {
	open    atomic.Int64
	cancel  context.CancelFunc
	clients sync.WaitGroup
}

// startSlow connects slow clients, and returns when they are at it.
func (s *server) startSlow(n int) *slowly {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	all := &slowly{cancel: cancel}
	for i := range n {
		all.clients.Go(func() {
			for ctx.Err() == nil {
				s.dribble(ctx, all, i)
			}
		})
	}
	most := int64(n) * 95 / 100 // some are cut off already, and come again
	eventually(s.t, 20*time.Second, "the slow clients are connected", func() bool { return all.open.Load() >= most })
	return all
}

func (l *slowly) stop() {
	l.cancel()
	l.clients.Wait()
}

// dribble is one connection of a slow client: even ones never end their header, odd ones
// their body.
func (s *server) dribble(ctx context.Context, all *slowly, client int) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return
	}
	defer conn.Close()
	text := "POST /v1/queues/" + queue + "/messages HTTP/1.1\r\nHost: localhost\r\n"
	if client%2 == 1 {
		text += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n{\"body\": \"", 100<<10)
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		return
	}
	all.open.Add(1)
	defer all.open.Add(-1)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := conn.Write([]byte("x")); err != nil {
				return
			}
		}
	}
}
