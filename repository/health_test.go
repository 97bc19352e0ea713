package repository

import (
	"context"
	"sync"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/service"
)

// TestReadinessIsKnownWhileCallersRead: callers that occupy all of their connections do not make a replica look unfit.
func TestReadinessIsKnownWhileCallersRead(t *testing.T) {
	s := setup(t)
	busy, release := context.WithCancel(s.ctx)
	var callers sync.WaitGroup
	for range coldConnections {
		conn, err := s.cold.Acquire(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		callers.Go(func() {
			defer conn.Release()
			_, _ = conn.Exec(busy, `SELECT pg_sleep(60)`)
		})
	}
	defer callers.Wait()
	defer release()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	if _, err := s.Health(ctx); err != nil {
		t.Errorf("health: %v", err)
	}
}

// TestReadinessIsAskedOnceForAll who want to know it: anybody may ask, and would otherwise occupy the keyring's connections.
func TestReadinessIsAskedOnceForAll(t *testing.T) {
	s := setup(t)
	for range keyConnections {
		conn, err := s.keys.Acquire(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
	ctx, cancel := context.WithTimeout(s.ctx, 200*time.Millisecond)
	defer cancel()
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			if err := s.Ping(ctx); service.ErrorCode(err) != service.CodeUnavailable {
				t.Errorf("ping without a connection: %v", err)
			}
		})
	}
	callers.Wait()
	time.Sleep(pingTimeout + pingTimeout/2)               // until the questions themselves have ended
	if n := s.keys.Stat().CanceledAcquireCount(); n > 2 { // one more where the machine halts while they begin
		t.Errorf("%d waited for a connection, want one for all", n)
	}
}

// TestStandbyIsUnfit: it is told where the primary is gone, and nothing but a standby is left.
func TestStandbyIsUnfit(t *testing.T) {
	s := setup(t)
	health, err := s.Health(s.ctx)
	if err != nil || health.Unfit[service.UnfitStandby] {
		t.Fatalf("of the primary: %v, %v", health.Unfit, err)
	}
	s.keys.Close()
	s.way.url = pgtest.Standby(t)
	if s.keys, err = s.way.open(s.ctx, keyConnections, nil); err != nil {
		t.Fatal(err)
	}
	if health, err = s.Health(s.ctx); err != nil || !health.Unfit[service.UnfitStandby] {
		t.Errorf("of the standby: %v, %v", health.Unfit, err)
	}
}
