package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tusq/test/fault/rig"
)

// startSmoke starts a small service of the tree's own tusq.
func startSmoke(t *testing.T) *service {
	t.Helper()
	out, err := outDir("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(out) })
	c := config{
		out: out, binary: filepath.Join(out, "tusq"), balancer: "../../deploy/haproxy.cfg", replicas: 2, seed: 5,
		load: loadSize{producers: 4, consumers: 8, rate: 500},
	}
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-o", c.binary, "./cmd/tusq").CombinedOutput(); err != nil {
		t.Fatalf("build tusq: %v\n%s", err, text)
	}
	s, err := startService(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cluster.Close)
	s.print = t.Output()
	return s
}

// TestSmoke plays one short round in which a replica, a backend and PostgreSQL are killed without warning. Nothing is lost.
func TestSmoke(t *testing.T) {
	s := startSmoke(t)
	const hold = 500 * time.Millisecond
	names := []string{"kill replica", "kill backend", "kill postgres"}
	r, err := s.play(t.Context(), 1, time.Minute, func(ctx context.Context, m *mischief) error {
		for _, name := range names {
			f, err := rig.FaultNamed(name)
			if err != nil {
				return err
			}
			if err := m.inject(ctx, nil, deed{fault: f, random: rand.New(rand.NewPCG(s.seed, 1)), hold: hold, alone: true}); err != nil {
				return err
			}
			pause(ctx, hold)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.tell(r)
	if !r.report.OK() {
		t.Errorf("promises were broken:\n%s", r.report)
	}
	if got := r.report.Acknowledged; got < 300 {
		t.Errorf("%d messages were acknowledged: too few to mean anything", got)
	}
	if got := len(r.mischief.injected); got != len(names) {
		t.Errorf("%d faults were injected", got)
	}
	for _, i := range r.mischief.injected {
		if i.noEffect {
			t.Errorf("%s had no effect", i.fault)
		}
	}
	b, err := newRebirth(s.cluster.URL(), "reborn")
	if err != nil {
		t.Fatal(err)
	}
	for lives := 0; lives < 5 && (len(b.sent) < 20 || len(b.received) < 20); lives++ { // on a machine that halts one has few calls
		wrong, counted, err := b.live(t.Context())
		if err != nil || !counted || len(wrong) > 0 {
			t.Errorf("a queue that was made anew: counted %v, %v, %v", counted, wrong, err)
		}
	}
	if len(b.sent) < 20 || len(b.received) < 20 {
		t.Errorf("%d messages were acknowledged and %d received: too few to mean anything", len(b.sent), len(b.received))
	}
}
