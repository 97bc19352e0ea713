// Package scenario runs, one at a time, the faults that need a disk, a wire or a database of their own.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"tusq/migrations"
	"tusq/test/fault/clock"
	"tusq/test/fault/disk"
	"tusq/test/fault/rig"
	"tusq/test/fault/strain"
	"tusq/test/fault/wire"
)

// ErrBroken says that a promise was broken; anything else, that it could not be found out.
var ErrBroken = errors.New("a promise was broken")

// Options of Run.
type Options struct {
	// Dir is a directory that the user who runs PostgreSQL can enter.
	Dir string
	// Module is the server's source.
	Module string
	// Binary is the tusq to test.
	Binary string
	Seed   uint64
	// Times is how often the power is lost, a primary fails, or a wait for a standby is cancelled.
	Times int
	// Every is how many bytes of a flush each cut stands for.
	Every int
	// Duration is that of a strain.
	Duration time.Duration
	// Groups are those of a strain's FIFO queue; 0: it is a standard queue.
	Groups int
	// Expired is how many messages have expired.
	Expired int
	// Print is told what was found, line by line.
	Print func(string)
}

var scenarios = map[string]func(context.Context, Options) error{
	"power":      powerLoss,
	"full":       fullDisks,
	"sweep":      sweep,
	"horizon":    func(ctx context.Context, o Options) error { return endure(ctx, o, "horizon") },
	"autovacuum": func(ctx context.Context, o Options) error { return endure(ctx, o, "autovacuum") },
	"expiry":     expire,
	"clock":      wrongClock,
	"failover":   failOver,
	"cancelled":  cancelWaits,
	"levels":     keepLevels,
	"patroni":    keptByPatroni,
}

// Names are the scenarios that Run knows. Those of the disk need disk.Private before.
func Names() []string { return slices.Sorted(maps.Keys(scenarios)) }

// Run runs a scenario.
func Run(ctx context.Context, name string, opts Options) error {
	run, ok := scenarios[name]
	if !ok {
		return fmt.Errorf("no scenario is called %q", name)
	}
	err := run(ctx, opts)
	if errors.Is(err, disk.ErrNotAllowed) {
		opts.Print(fmt.Sprintf("SKIPPED: the scenario %s: %v", name, err))
		return nil
	}
	return err
}

// broken is ErrBroken with a reason, unless what was promised holds.
func broken(holds bool, format string, args ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrBroken, fmt.Sprintf(format, args...))
}

// asyncWindow is how far back acknowledgements may not hold that did not wait for the disk.
const asyncWindow = time.Second

// powerLoss loses the power of servers that synchronise, that do so later, and that never do.
func powerLoss(ctx context.Context, o Options) error {
	safe, err := disk.Power{Times: o.Times, Seed: o.Seed, Log: o.Print}.Run(ctx)
	if err != nil {
		return err
	}
	o.Print("synchronous: " + safe.String())
	async, err := disk.Power{Times: o.Times, Seed: o.Seed, Settings: map[string]string{"synchronous_commit": "off"}}.Run(ctx)
	if err != nil {
		return err
	}
	o.Print("asynchronous: " + async.String())
	unsafe, err := disk.Power{Times: 1, Seed: o.Seed, Settings: map[string]string{"fsync": "off"}}.Run(ctx)
	if err != nil {
		return err
	}
	o.Print("without fsync: " + unsafe.String())
	return errors.Join(
		broken(safe.Clean() && safe.Broken == "", "what was acknowledged did not outlast a power loss"),
		broken(async.Broken == "", "the cluster that synchronises later did not outlast its power losses: %s", async.Broken),
		broken(async.Window <= asyncWindow, "an acknowledgement that was %s old did not hold", async.Window),
		broken(unsafe.Lost > 0 || unsafe.Broken != "", "nothing was lost without fsync: the power losses are none"))
}

// fullDisks fills the disk of the tables, and that of the log.
func fullDisks(ctx context.Context, o Options) error {
	data, err := disk.FullData(ctx)
	if err != nil {
		return err
	}
	o.Print("tables: " + data.String())
	log, err := disk.FullLog(ctx)
	if err != nil {
		return err
	}
	o.Print("log: " + log.String())
	return errors.Join(
		broken(data.Clean() && log.Clean(), "what was acknowledged did not outlast a full disk"),
		broken(data.Deletes == data.Held, "deletes were refused"))
}

// database starts a PostgreSQL with a migrated database for a scenario.
func database(ctx context.Context, o Options, use func(url string) error) (err error) {
	postgres, err := rig.NewPostgres(ctx, filepath.Join(o.Dir, "postgres"), rig.PostgresOptions{})
	if err != nil {
		return err
	}
	if err := postgres.Start(ctx); err != nil {
		return err
	}
	defer postgres.Kill()
	if _, err := migrations.Up(ctx, postgres.URL()); err != nil {
		return err
	}
	return use(postgres.URL())
}

// sweep cuts flushes of all kinds.
func sweep(ctx context.Context, o Options) error {
	return database(ctx, o, func(url string) error {
		for _, operation := range wire.Operations() {
			if err := strain.Clear(ctx, url); err != nil {
				return err
			}
			report, err := wire.Sweep{DatabaseURL: url, Every: o.Every, Seed: o.Seed}.Run(ctx, operation)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrBroken, err)
			}
			o.Print(report.String())
		}
		return nil
	})
}

func endure(ctx context.Context, o Options, name string) error {
	return database(ctx, o, func(url string) error {
		report, err := strain.Endure(ctx, name, o.Groups, url, o.Duration)
		if err != nil {
			return err
		}
		o.Print(report.String())
		fault := report.Broken()
		return broken(fault == "", "%s: %s", name, fault)
	})
}

func expire(ctx context.Context, o Options) error {
	return database(ctx, o, func(url string) error {
		report, err := strain.Expire(ctx, url, o.Expired)
		if err != nil {
			return err
		}
		o.Print(report.String())
		fault := report.Broken()
		return broken(fault == "", "expiry: %s", fault)
	})
}

// wrongClock has a replica's clock jump by an hour, in both directions.
func wrongClock(ctx context.Context, o Options) error {
	program := filepath.Join(o.Dir, "tusq-clock")
	if err := clock.Build(ctx, o.Module, "./cmd/tusq", program); err != nil {
		return err
	}
	return database(ctx, o, func(url string) error {
		for _, offset := range []time.Duration{time.Hour, -time.Hour} {
			if err := strain.Clear(ctx, url); err != nil {
				return err
			}
			if err := clock.Check(ctx, program, url, o.Dir, offset, 3*time.Second, o.Print); err != nil {
				return fmt.Errorf("%w: a clock that jumped by %s: %w", ErrBroken, offset, err)
			}
		}
		return nil
	})
}
