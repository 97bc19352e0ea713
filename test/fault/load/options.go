package load

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tusq/test/fault/history"
)

// Options say what the clients do. Defaults has sound ones for all but URLs, Recorder and Queues.
type Options struct {
	URLs     []string // base addresses; client n begins with the nth, and goes on to the next after a connection error
	Recorder *history.Recorder
	Progress *Progress // may be nil
	Seed     uint64    // of all choices

	Producers int
	Consumers int
	Queues    []Queue

	Messages int64   // Run ends when so many were acknowledged; 0: when its context ends
	Rate     float64 // messages per second of all producers; 0: as fast as it goes
	Backlog  int64   // producers pause while the queues hold more
	Batch    int     // messages of a call at most, 1 to 10

	RequestTimeout time.Duration // of a call, beside the wait that it asks for
	WaitSeconds    int           // that a receive waits at most
	MinVisibility  int           // seconds, of a receive
	MaxVisibility  int
	MaxDelay       int // seconds, of a send

	PurgeEvery   time.Duration // of the queues with Purge
	RedriveEvery time.Duration // of the dead-letter queues of those with Redrive
	Shares       Shares
}

// Shares are probabilities.
type Shares struct {
	SQS        float64 // that a call goes over SQS's protocol
	Attributes float64 // that a message has attributes
	Delay      float64 // that a message to a standard queue is delayed

	Repeat float64 // that a call is repeated when its outcome is not known: a send by a key, a deletion by its receipts
	Again  float64 // that a send with a key is repeated although it was acknowledged

	Drop    float64 // that a received message is not deleted
	Release float64 // that its visibility timeout is set to 0
	Extend  float64 // that its timeout is extended, and it is deleted in the time that was gained
	Late    float64 // that it is deleted after its lease has ended; half of them are extended before, then
	Poison  float64 // that a message of a queue with a dead-letter queue is failed whenever it is received there
}

// Queue is a queue that the clients use.
type Queue struct {
	Name        string // of a FIFO queue: ends with .fifo
	Groups      int    // of a FIFO queue: as many as there are producers, or more
	MaxReceives int    // 0: it has no dead-letter queue
	Purge       bool   // it is purged now and then; of a standard queue
	Redrive     bool   // its dead-letter queue is redriven now and then
}

const fifoSuffix = ".fifo"

// FIFO tells whether the queue keeps the order of its groups.
func (q Queue) FIFO() bool { return strings.HasSuffix(q.Name, fifoSuffix) }

// DeadLetter is the name of its dead-letter queue, or "".
func (q Queue) DeadLetter() string {
	if q.MaxReceives == 0 {
		return ""
	}
	if base, fifo := strings.CutSuffix(q.Name, fifoSuffix); fifo {
		return base + "-dead" + fifoSuffix
	}
	return q.Name + "-dead"
}

// Mix is one queue of each kind: standard, FIFO with 50 groups, each of them with and without a dead-letter queue.
func Mix() []Queue {
	return []Queue{
		{Name: "plain"},
		{Name: "orders", MaxReceives: 3},
		{Name: "ordered.fifo", Groups: 50},
		{Name: "payments.fifo", Groups: 50, MaxReceives: 3},
	}
}

// Defaults are options for a machine of two cores, which the clients share with the service.
func Defaults() Options {
	return Options{
		Seed: 1, Producers: 8, Consumers: 16, Backlog: 3000, Batch: 10,
		RequestTimeout: 5 * time.Second, WaitSeconds: 2, MinVisibility: 2, MaxVisibility: 5, MaxDelay: 3,
		PurgeEvery: 10 * time.Second, RedriveEvery: 5 * time.Second,
		Shares: Shares{
			SQS: 0.5, Attributes: 0.3, Delay: 0.05, Repeat: 0.8, Again: 0.02,
			Drop: 0.01, Release: 0.02, Extend: 0.02, Late: 0.01, Poison: 0.01,
		},
	}
}

// extension is how much longer than its first lease, in seconds, an extended one is at most.
const extension = 5

// longest is the longest time for which a message can be invisible.
func (o *Options) longest() time.Duration {
	return time.Duration(max(o.MaxVisibility+extension, o.MaxDelay)) * time.Second
}

// check completes the options, or says what is wrong with them.
func (o *Options) check() error {
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	switch {
	case o.Recorder == nil || len(o.URLs) == 0 || len(o.Queues) == 0:
		return errors.New("load: a recorder, URLs and queues are needed")
	case o.Batch < 1 || o.Batch > 10:
		return fmt.Errorf("load: batches of %d messages; want 1 to 10", o.Batch)
	case o.MinVisibility < 1 || o.MaxVisibility < o.MinVisibility:
		return fmt.Errorf("load: visibility timeouts of %d to %d seconds", o.MinVisibility, o.MaxVisibility)
	case o.RequestTimeout <= 0 || o.WaitSeconds < 0 || o.MaxDelay < 0:
		return errors.New("load: times must not be negative, and calls need a timeout")
	}
	for _, base := range o.URLs {
		if u, err := url.Parse(base); err != nil || u.Scheme != "http" || u.Host == "" || u.Path != "" {
			return fmt.Errorf("load: URL %q; want http://host:port", base)
		}
	}
	for _, q := range o.Queues {
		if q.FIFO() && q.Groups < o.Producers {
			return fmt.Errorf("load: queue %s has fewer groups than there are producers", q.Name)
		}
		if q.FIFO() != (q.Groups > 0) || q.FIFO() && q.Purge || q.Redrive && q.MaxReceives == 0 {
			return fmt.Errorf("load: queue %+v: groups are of FIFO queues, purges of standard ones, redrives of those with a dead-letter queue", q)
		}
	}
	return nil
}
