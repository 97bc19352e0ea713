package disk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// volumeSize is that of the file systems of power losses: more than a fast machine sends between them. They take the
// room of what is in them.
const volumeSize = 2 << 30

// Power is a series of power losses under load.
type Power struct {
	Times int
	// Seed chooses the moments.
	Seed uint64
	// Settings of PostgreSQL: fsync off, which must lose, or synchronous_commit off.
	Settings map[string]string
	// Log is told of each; nil: nobody.
	Log func(string)
}

// PowerReport is what the losses did.
type PowerReport struct {
	Times int
	Audit
	// Broken says why the cluster was no good after the last loss; empty: it always was.
	Broken string
	// Recovery is how long it took at most, from the start of PostgreSQL to the first acknowledged send.
	Recovery time.Duration
	// Halt is how long this program was halted at most, while there was load: as long as PostgreSQL, where the machine halts.
	Halt time.Duration
}

func (r PowerReport) String() string {
	text := fmt.Sprintf("%d power losses: %s; serving again after %s at most", r.Times, r.Audit, r.Recovery.Round(time.Millisecond))
	if r.Broken != "" {
		text += "; then the cluster was broken: " + r.Broken
	}
	return text
}

// Run cuts the power, so often. An error means that it could not be done, not that something was lost.
func (p Power) Run(ctx context.Context) (report PowerReport, err error) {
	c, err := newCluster(ctx, volumeSize, p.Settings)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.start(ctx); err != nil {
		return report, err
	}
	random := rand.New(rand.NewPCG(p.Seed, 0))
	for report.Times < p.Times && report.Broken == "" {
		after := time.Second + time.Duration(random.Int64N(int64(time.Second)))
		if err := p.lose(ctx, c, after, &report); err != nil {
			return report, fmt.Errorf("power loss %d: %w", report.Times, err)
		}
	}
	return report, nil
}

// lose does it once, so long after the load has begun, or later where too little has been done by then to show anything.
func (p Power) lose(ctx context.Context, c *cluster, after time.Duration, report *PowerReport) error {
	report.Times++
	x := startLoad(c.replica, c.ledger, fmt.Sprint("load", report.Times), 8, 2)
	halt := metronome()
	select {
	case <-time.After(after):
	case <-ctx.Done():
	}
	x.await(ctx, 100, 1)
	fault := time.Now()
	err := c.volume.CutPower()
	report.Halt = max(report.Halt, halt())
	c.postgres.Kill()
	x.stop()
	if err != nil {
		return err
	}
	if err := errors.Join(c.volume.Unmount(ctx), c.volume.Mount(ctx)); err != nil {
		return err
	}
	began := time.Now()
	if err := c.postgres.Start(ctx); err != nil {
		report.Broken = err.Error()
		return nil
	}
	if _, err := c.serving(ctx); err != nil {
		report.Broken = err.Error()
		return nil
	}
	report.Recovery = max(report.Recovery, time.Since(began))
	audit, err := c.audit(ctx, fault)
	if err != nil {
		report.Broken = err.Error()
		return nil
	}
	report.add(audit)
	if p.Log != nil {
		p.Log(fmt.Sprintf("power loss %d: %s", report.Times, audit))
	}
	if err := c.verify(ctx); err != nil {
		report.Broken = err.Error()
	}
	return nil
}

// metronome beats each 10 ms until stop, which returns the longest time between two beats.
func metronome() (stop func() time.Duration) {
	stopped, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		last, pause := time.Now(), time.Duration(0)
		for beating := true; beating; {
			select {
			case <-tick.C:
			case <-stopped:
				beating = false
			}
			pause, last = max(pause, time.Since(last)), time.Now()
		}
		longest <- pause
	}()
	return func() time.Duration {
		close(stopped)
		return <-longest
	}
}
