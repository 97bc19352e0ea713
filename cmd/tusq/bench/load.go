package bench

import (
	"context"
	"sync"
	"time"
)

// load is the workers of a benchmark.
type load struct {
	*Options
	protocol protocol
	sendTo   *endpoint
	takeFrom *endpoint
	queues   []queue
	mark     string
	clock    time.Time // start of the times in messages
	pacer    *pacer
	workers  sync.WaitGroup

	sends, receives, deletes, polls *meter
	ways                            *meter // of messages from their senders to their receivers

	// places holds one for every batch that was sent and not received, in the closed loop
	// of a life cycle: without that bound the senders, who do half of a receiver's calls,
	// would only pile messages up. Nil: no bound.
	places chan struct{}
	// filled holds the number of a queue for every batch sent, where there are more queues
	// than consumers could poll. Nil: each consumer has its queue.
	filled chan int
}

func newLoad(o *Options, p protocol, sendTo, takeFrom *endpoint) *load {
	l := &load{
		Options: o, protocol: p, sendTo: sendTo, takeFrom: takeFrom, mark: newMark(), clock: time.Now(),
		sends: newMeter("send"), receives: newMeter("receive"), deletes: newMeter("delete"),
		polls: newMeter("poll"), ways: newMeter("end to end"),
	}
	if o.Workload == Noop {
		l.sends = newMeter("noop")
	}
	if o.consumes() && o.Rate == 0 {
		l.places = make(chan struct{}, 2*o.Connections)
	}
	if o.consumes() && o.Queues > o.Connections/2 {
		l.filled = make(chan int, 1<<16)
	}
	l.last().goal = o.Messages
	return l
}

// meters returns the meters of the calls that the workload makes.
func (l *load) meters() []*meter {
	switch {
	case l.Workload == Idle:
		return []*meter{l.polls}
	case l.consumes():
		return []*meter{l.sends, l.receives, l.deletes}
	}
	return []*meter{l.sends}
}

// last returns the meter of the last call in a message's life.
func (l *load) last() *meter {
	meters := l.meters()
	return meters[len(meters)-1]
}

// measure begins or ends the counting.
func (l *load) measure(on bool) {
	for _, m := range append(l.meters(), l.ways) {
		m.measure(on)
	}
}

// start starts the workers, which end with ctx.
func (l *load) start(ctx context.Context) {
	l.pacer = newPacer(l.Options)
	for i := range l.Connections {
		l.workers.Go(func() { l.work(ctx, i) })
	}
}

// work is what one worker does.
func (l *load) work(ctx context.Context, number int) {
	from := l.sendTo
	do := l.produce
	switch {
	case l.Workload == Idle:
		do = l.poll
	case l.consumes() && number%2 == 1:
		from, do = l.takeFrom, l.consume
	}
	c := newCaller(l.Options, l.protocol, from)
	defer c.conn.close()
	do(ctx, c, number)
}
