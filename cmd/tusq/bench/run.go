package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrIdle means that no message went all the way, or that some kind of call only failed.
// The report is good.
var ErrIdle = errors.New("no message went through")

// Run measures. Queues that it created are deleted at the end; in those that existed,
// messages remain. When ctx ends early, the report is of what was measured until then.
func Run(ctx context.Context, o Options) (report Report, err error) {
	o.setDefaults()
	if err := o.check(); err != nil {
		return Report{}, err
	}
	l, err := connect(&o)
	if err != nil {
		return Report{}, err
	}
	created, err := l.createQueues(ctx)
	defer func() { err = errors.Join(err, l.deleteQueues(context.WithoutCancel(ctx), created)) }()
	if err != nil {
		return Report{}, err
	}
	if err := l.fill(ctx); err != nil {
		return Report{}, err
	}
	report = l.run(ctx)
	if report.idle() {
		err = ErrIdle
	}
	return report, err
}

// run warms up, measures and reports.
func (l *load) run(ctx context.Context) Report {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l.start(ctx)
	pause(ctx, l.WarmUp)
	watched := watch(ctx, l.Options)
	begin := time.Now()
	l.measure(true)
	l.wait(ctx, begin)
	l.measure(false)
	seconds := time.Since(begin).Seconds()
	server := watched.end(l.last().count(), seconds)
	stop()
	l.workers.Wait()
	return l.report(seconds, server)
}

// wait returns when enough was measured, and shows the progress until then.
func (l *load) wait(ctx context.Context, begin time.Time) {
	goal, counted := int64(l.Duration/time.Millisecond), l.last()
	var end <-chan time.Time
	if l.Messages > 0 {
		goal = l.Messages
	} else {
		end = time.After(l.Duration)
	}
	l.Progress.Begin(goal)
	defer l.Progress.End()
	show := time.NewTicker(showEvery)
	defer show.Stop()
	for {
		select {
		case <-show.C:
			at, messages := time.Since(begin), counted.count()
			rate := float64(messages) / at.Seconds()
			if l.Messages == 0 {
				messages = at.Milliseconds()
			}
			l.Progress.At(min(messages, goal-1), fmt.Sprintf("%s %.0f/s", counted.name, rate))
		case <-end:
			return
		case <-counted.reached:
			return
		case <-ctx.Done():
			return
		}
	}
}
