package bench

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"tusq/client"
)

// The workloads; see the package's comment.
const (
	Send      = "send"
	Lifecycle = "lifecycle"
	Latency   = "latency"
	Idle      = "idle"
	Noop      = "noop"
)

const (
	latencyRate = 100 // messages per second of Latency where no rate is given
	sqsBatch    = 10  // messages in a call, by SQS's rules
)

// Options say what to measure and how.
type Options struct {
	Workload string

	URL        string // of the REST API; of Noop: what is posted to
	SQS        string // an SQS endpoint to measure instead; empty: none
	ReceiveURL string // of what receives and deletes, such as another replica; empty: as sends
	Token      string // for the REST API; empty: none
	Signing    Signing
	TLS        *tls.Config // of connections by https; nil: the default one

	Queue       string        // empty: new ones, deleted at the end
	Queues      int           // over which the load is spread
	FIFO        bool          // the queues' kind
	Groups      int           // message groups in each FIFO queue
	Connections int           // workers
	Batch       int           // messages in a call
	Size        int           // bytes of a body
	Backlog     int64         // messages that wait in the queues before a life cycle begins
	Rate        float64       // messages per second of an open loop; 0: closed
	WarmUp      time.Duration // before measuring: connections, plans, caches
	Duration    time.Duration // of the measurement, where Messages is 0
	Messages    int64         // after which the measurement ends, however long it takes

	ServerPIDs  []int  // processes whose CPU and memory are measured, with their descendants'
	DatabaseURL string // of the server's PostgreSQL, to be asked for its statistics; empty: not

	Progress Progress
	Note     func(format string, args ...any) // tells what could not be measured
}

// Progress shows how far it is, in milliseconds or messages, and how it goes. It is
// called by one goroutine at a time.
type Progress interface {
	Begin(total int64)
	At(done int64, text string)
	End()
}

// Signing is what calls of SQS are signed with.
type Signing struct {
	AccessKey, SecretKey, SessionToken string // without the keys: not signed
	Region                             string
}

// signed tells whether calls are to be signed.
func (s Signing) signed() bool { return s.AccessKey != "" }

// consumes tells whether the workload has workers that receive and delete.
func (o *Options) consumes() bool { return o.Workload == Lifecycle || o.Workload == Latency }

// setDefaults fills in what follows from the rest.
func (o *Options) setDefaults() {
	if o.Workload == Latency && o.Rate == 0 {
		o.Rate = latencyRate
	}
	if !o.FIFO {
		o.Groups = 0
	}
}

// target names what is measured.
func (o *Options) target() string {
	if o.SQS != "" {
		return "sqs"
	}
	return "rest"
}

// mostBatch is the most messages in one call.
func (o *Options) mostBatch() int {
	if o.SQS != "" {
		return sqsBatch
	}
	return client.MaxBatch
}

// check tells what is wrong, by the names of the flags.
func (o *Options) check() error {
	least := 1
	if o.consumes() {
		least = 2
	}
	leastSize := 1
	if o.Workload == Latency {
		leastSize = stampSize
	}
	switch {
	case o.Connections < least:
		return fmt.Errorf("--connections: at least %d for this workload", least)
	case o.Batch < 1 || o.Batch > o.mostBatch():
		return fmt.Errorf("--batch: 1 to %d", o.mostBatch())
	case o.Size < leastSize || o.Size > client.MaxMessage:
		return fmt.Errorf("--size: %d to %d for this workload", leastSize, client.MaxMessage)
	case o.Messages < 0 || o.Duration <= 0:
		return errors.New("--messages and --duration must be positive")
	case o.WarmUp < 0:
		return errors.New("--warm-up must not be negative")
	case o.Rate < 0 || o.Rate > 1e9:
		return errors.New("--rate: 0 to 1,000,000,000")
	case o.SQS != "" && (o.Signing.AccessKey == "") != (o.Signing.SecretKey == ""):
		return errors.New("--access-key and AWS_SECRET_ACCESS_KEY belong together")
	}
	return errors.Join(o.checkQueues(), o.checkWorkload())
}

func (o *Options) checkQueues() error {
	switch {
	case o.Queues < 1:
		return errors.New("--queues: at least 1")
	case o.FIFO && o.Groups < 1:
		return errors.New("--groups: at least 1")
	case o.Queue != "" && strings.HasSuffix(o.Queue, client.FIFOSuffix) != o.FIFO:
		return fmt.Errorf("--queue: the name ends with %s with --fifo, and only then", client.FIFOSuffix)
	}
	return nil
}

func (o *Options) checkWorkload() error {
	switch o.Workload {
	case Send, Lifecycle, Latency, Idle, Noop:
	default:
		return fmt.Errorf("--workload: there is no %q", o.Workload)
	}
	switch {
	case o.Backlog < 0 || o.Backlog > 0 && o.Workload != Lifecycle:
		return errors.New("--backlog: a positive number, of the workload lifecycle only")
	case o.ReceiveURL != "" && !o.consumes():
		return errors.New("--receive-url: the workload receives nothing")
	case o.Rate > 0 && o.Workload == Idle:
		return errors.New("--rate: the workload idle sends nothing")
	case o.Messages > 0 && o.Workload == Idle:
		return errors.New("--messages: the workload idle has none")
	}
	return nil
}
