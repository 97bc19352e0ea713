package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tusq/service"
)

// fullSize is that of the volumes that are filled.
const fullSize = 384 << 20

const (
	// backlog is how many messages wait when the disk fills up.
	backlog = 5000
	// refusals is how many sends have to be refused before there is room again.
	refusals = 50
	// fullBound is how long a step may take.
	fullBound = time.Minute
)

// FullReport is what a full disk did.
type FullReport struct {
	Audit
	// Refused counts the errors that calls were answered with, by their codes.
	Refused map[service.Code]int64
	// Held is how many messages were in flight when the disk filled up, and Deletes how many were deleted then. Received is how
	// many more were received and deleted: a receive needs room in an index, as far as vacuum does not give it back.
	Held, Deletes, Received int64
	// Stopped tells that PostgreSQL ended by itself.
	Stopped bool
	// Recovery is from when there was room again, and PostgreSQL accepted connections, to the first acknowledged send.
	Recovery time.Duration
}

func (r FullReport) String() string {
	return fmt.Sprintf("answers %v; %d of %d messages in flight deleted, %d more received; PostgreSQL stopped: %v; serving again after %s; %s",
		r.Refused, r.Deletes, r.Held, r.Received, r.Stopped, r.Recovery.Round(time.Millisecond), r.Audit)
}

// FullData fills the volume of PostgreSQL's data, but not that of its log, under load. Then there is room again, and nobody does
// anything.
func FullData(ctx context.Context) (report FullReport, err error) {
	c, log, err := newSplitCluster(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, c.close(), log.Close()) }()
	if err := c.prepareBacklog(ctx); err != nil {
		return report, err
	}
	held, err := c.hold(ctx, backlog/2)
	if err != nil {
		return report, err
	}
	report.Held = int64(len(held))
	if err := c.volume.Fill(0); err != nil {
		return report, err
	}
	fault := time.Now()
	x := startLoad(c.replica, c.ledger, "full", 4, 0)
	err = await(ctx, "sends are refused", func() bool { return x.code(service.CodeStorageFull) >= refusals })
	if err == nil {
		for batch := range slices.Chunk(held, 10) { // while sends are refused in the same flushes
			x.delete(ctx, batch)
		}
		report.Deletes = x.deletes.Load()
		consumers := startLoad(c.replica, c.ledger, "consumers", 0, 2)
		err = await(ctx, "sends are refused again", func() bool { return x.code(service.CodeStorageFull) >= 10*refusals })
		consumers.stop()
		report.Received = consumers.deletes.Load()
	}
	x.stop()
	report.Refused, report.Stopped = x.codes(), !c.postgres.Running()
	return c.recover(ctx, c.volume, fault, err, report)
}

// hold receives so many messages, and keeps them in flight.
func (c *cluster) hold(ctx context.Context, n int) (held []service.Message, err error) {
	for len(held) < n {
		messages, err := c.replica.ReceiveMessages(ctx, caller, queue, service.ReceiveMessages{Max: 100, Visibility: new(time.Hour)})
		if err != nil {
			return nil, err
		}
		held = append(held, messages...)
	}
	return held, nil
}

// FullLog fills the volume of PostgreSQL's log under load: it stops. When there is room again it is started, and the
// replica is left alone.
func FullLog(ctx context.Context) (report FullReport, err error) {
	c, log, err := newSplitCluster(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, c.close(), log.Close()) }()
	if err := c.prepareBacklog(ctx); err != nil {
		return report, err
	}
	x := startLoad(c.replica, c.ledger, "full", 8, 2)
	if err := log.Fill(0); err != nil {
		return report, errors.Join(err, log.Close())
	}
	fault := time.Now()
	err = await(ctx, "PostgreSQL stops", func() bool { return !c.postgres.Running() })
	if err == nil {
		before := x.code(service.CodeUnavailable)
		err = await(ctx, "calls are refused", func() bool { return x.code(service.CodeUnavailable) >= before+refusals })
	}
	report.Stopped = !c.postgres.Running()
	x.stop()
	report.Refused, report.Deletes = x.codes(), x.deletes.Load()
	return c.recover(ctx, log, fault, err, report)
}

// recover gives the volume room again, waits until sends are stored, and compares.
func (c *cluster) recover(ctx context.Context, full *Volume, fault time.Time, err error, report FullReport) (FullReport, error) {
	if err = errors.Join(err, full.Empty()); err != nil {
		return report, fmt.Errorf("%w; refused: %v; PostgreSQL says: %s", err, report.Refused, c.postgres.Log())
	}
	if !c.postgres.Running() {
		if err := c.postgres.Start(ctx); err != nil {
			return report, err
		}
	}
	if report.Recovery, err = c.serving(ctx); err != nil {
		return report, err
	}
	if report.Audit, err = c.audit(ctx, fault); err != nil {
		return report, err
	}
	return report, c.verify(ctx)
}

// newSplitCluster makes a cluster whose log has a volume of its own, and starts it.
func newSplitCluster(ctx context.Context) (c *cluster, log *Volume, err error) {
	if log, err = NewVolume(ctx, fullSize); err != nil {
		return nil, nil, err
	}
	if c, err = newCluster(ctx, fullSize, map[string]string{
		// A checkpoint that finds no room stops PostgreSQL, which then recovers. Not while sends are refused.
		"checkpoint_timeout": "10min", "max_wal_size": "256MB",
	}); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	if err = c.moveLog(log); err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, c.close(), log.Close())
	}
	return c, log, nil
}

// moveLog moves the log of a server that is stopped to another volume.
func (c *cluster) moveLog(to *Volume) error {
	from, dir := filepath.Join(c.dir(), "pg_wal"), filepath.Join(to.Dir(), "pg_wal")
	if err := run(context.Background(), "cp", "-a", from, dir); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(from), os.Symlink(dir, from))
}

// prepareBacklog stores messages.
func (c *cluster) prepareBacklog(ctx context.Context) error {
	x := startLoad(c.replica, c.ledger, "backlog", 4, 0)
	err := await(ctx, "messages are stored", func() bool { return x.sends.Load() >= backlog })
	x.stop()
	return err
}

// await waits until something holds.
func await(ctx context.Context, what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, fullBound)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		}
	}
	return nil
}
