package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"tusq/test/fault/rig"
)

const (
	upgradeLimit = 10 * time.Minute // bounds the load of one upgrade
	mixed        = 2 * time.Second  // of load between two steps
)

// upgrader upgrades services under load. Each begins with a fresh database of the previous version.
type upgrader struct {
	config
	print    io.Writer
	previous string // the binaries
	present  string

	sum      summary
	replaced int
	requests int
	failed   int
}

// upgrade replaces the previous version by this one while clients are at work, goes back, and forward again: so many times. No request may
// fail.
func upgrade(ctx context.Context, c config, out io.Writer) error {
	u := &upgrader{config: c, print: out, previous: filepath.Join(c.out, "tusq-previous"), present: c.binary, sum: newSummary()}
	revision, err := buildPrevious(ctx, c.module, c.previous, u.previous)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the previous version is revision %s\n", revision)
	began := time.Now()
	for n := 1; n <= c.times; n++ {
		if err := u.cycle(ctx, n); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "upgrade: %d cycles, %d replicas replaced in %v, %d requests, %d failed; %d messages acknowledged, %d sends unknown, %d lost, %d violations; seed %d\n",
		c.times, u.replaced, time.Since(began).Round(time.Second), u.requests, u.failed,
		u.sum.report.Acknowledged, u.sum.report.Unknown, u.sum.report.Lost, violations(u.sum.report), c.seed)
	if n := violations(u.sum.report); n+u.failed > 0 {
		return fmt.Errorf("%w: %d requests failed in upgrades, %d violations", errViolations, u.failed, n)
	}
	return nil
}

// cycle upgrades one service.
func (u *upgrader) cycle(ctx context.Context, number int) error {
	c := u.config
	c.out, c.binary = filepath.Join(u.out, fmt.Sprintf("cycle-%d", number)), u.previous
	s, err := startService(ctx, c)
	if err != nil {
		return err
	}
	defer s.cluster.Close()
	s.print, s.sum, s.faultFree = u.print, u.sum, true
	r, err := s.play(ctx, number, upgradeLimit, func(ctx context.Context, m *mischief) error {
		if err := u.migrate(ctx, s, m, number%2 == 0); err != nil {
			return err
		}
		for _, binary := range []string{u.present, u.previous, u.present} {
			if err := u.replace(ctx, m, binary); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	u.sum = s.sum
	s.tell(r)
	requests, failed := failures(r.events)
	s.tellFailed(failed)
	u.requests, u.failed = u.requests+requests, u.failed+len(failed)
	return s.cluster.Postgres.Check(ctx)
}

// migrate applies the new migrations while all replicas are of the previous version: by the command or, where it is left to the replicas, by
// the first of them that is replaced.
func (u *upgrader) migrate(ctx context.Context, s *service, m *mischief, left bool) error {
	before, _, err := schema(ctx, s.cluster.Postgres)
	if err != nil {
		return err
	}
	m.recorder.Note("migrate")
	if left {
		if err := u.put(ctx, m, s.cluster.Replicas[0], u.present); err != nil {
			return err
		}
	} else if _, err := output(exec.CommandContext(ctx, u.present, "migrate", "up", "--database-url", s.cluster.Postgres.URL())); err != nil {
		return err
	}
	after, oldest, err := schema(ctx, s.cluster.Postgres)
	if err != nil {
		return err
	}
	if after <= before {
		return fmt.Errorf("nothing was upgraded: the schema was version %d and is version %d", before, after)
	}
	fmt.Fprintf(u.print, "schema: version %d, then %d, which supports versions from %d on\n", before, after, oldest)
	pause(ctx, mixed)
	return ctx.Err()
}

// replace replaces all replicas, one after another, by a version, with some load between.
func (u *upgrader) replace(ctx context.Context, m *mischief, binary string) error {
	for _, r := range m.cluster.Replicas {
		if err := u.put(ctx, m, r, binary); err != nil {
			return err
		}
	}
	return nil
}

// put replaces one replica, and lets the mixture work for a time, in which something must be acknowledged.
func (u *upgrader) put(ctx context.Context, m *mischief, r *rig.Replica, binary string) error {
	what := fmt.Sprintf("%s becomes %s", r.Name, filepath.Base(binary))
	m.recorder.Note("inject " + what)
	r.Use(binary)
	err := m.cluster.Restart(ctx, r)
	m.recorder.Note("heal " + what)
	if err != nil {
		return err
	}
	u.replaced++
	_, err = m.recovery(ctx, othersLimit)
	pause(ctx, mixed)
	return errors.Join(err, ctx.Err())
}

// schema is a database's version, and the oldest that it supports.
func schema(ctx context.Context, p *rig.Postgres) (version, oldest int, err error) {
	err = p.QueryRow(ctx, []any{&version, &oldest}, "SELECT version, oldest_supported FROM schema_state")
	return version, oldest, err
}
