package report

// Workload is one way to load a queue. Its key is the name in the issue and in the table.
type Workload struct {
	Key   string
	Title string

	Kind        string // of `tusq bench --workload`: send, lifecycle, latency or noop
	Connections int
	Batch       int
	Rate        int  // messages per second, open loop; 0: closed loop
	Groups      int  // of a FIFO queue; 0: a standard queue
	Backlog     bool // messages are waiting
	Replicas    bool // senders and receivers use different replicas
	Beyond      bool // a batch that SQS does not allow: REST alone
	Peers       bool // the other systems run it too

	// Baseline is the workload that the table compares this one's rate with.
	Baseline string
}

// handlerShare is how many calls a message takes in a workload, so what share of the no-op handler's rate is its limit.
func (w Workload) handlerShare() float64 {
	switch {
	case w.Batch > 1 || w.Kind == "latency":
		return 0 // the handler is no limit: a call carries many messages, or is waited for
	case w.Kind == "lifecycle":
		return 3
	default:
		return 1
	}
}

// Workloads is the plan, in the order of the tables. Those that leave a backlog behind come last.
var Workloads = []Workload{
	{Key: "W1", Title: "single sends, 64 connections", Kind: "send", Connections: 64, Batch: 1, Peers: true},
	{Key: "W2", Title: "life cycle by single calls, 32 + 32", Kind: "lifecycle", Connections: 64, Batch: 1, Peers: true},
	{Key: "W3", Title: "life cycle in batches of 10, 8 + 8", Kind: "lifecycle", Connections: 16, Batch: 10, Peers: true},
	{Key: "B100", Title: "sends in batches of 100, 16 connections", Kind: "send", Connections: 16, Batch: 100, Beyond: true},
	{Key: "W4", Title: "send to receive at 100 msg/s", Kind: "latency", Connections: 8, Batch: 1, Rate: 100, Peers: true},
	{Key: "W4x2", Title: "the same, across two replicas", Kind: "latency", Connections: 8, Batch: 1, Rate: 100, Replicas: true},
	{Key: "F1", Title: "FIFO, 1,000 groups: single sends, 64 connections", Kind: "send", Connections: 64, Batch: 1, Groups: 1000, Baseline: "W1"},
	{Key: "F2", Title: "FIFO, 1,000 groups: life cycle by single calls", Kind: "lifecycle", Connections: 64, Batch: 1, Groups: 1000, Baseline: "W2"},
	{Key: "F3", Title: "FIFO, 1,000 groups: life cycle in batches of 10", Kind: "lifecycle", Connections: 16, Batch: 10, Groups: 1000, Baseline: "W3"},
	{Key: "G1", Title: "FIFO, one group: life cycle in batches of 10", Kind: "lifecycle", Connections: 16, Batch: 10, Groups: 1},
	{Key: "W5", Title: "W3 with many messages waiting", Kind: "lifecycle", Connections: 16, Batch: 10, Backlog: true, Peers: true, Baseline: "W3"},
	{Key: "F5", Title: "FIFO, 1,000 groups: the same", Kind: "lifecycle", Connections: 16, Batch: 10, Groups: 1000, Backlog: true, Baseline: "F3"},
}

// Size is the length of every message's body in bytes.
const Size = 256

// Names of the series that the tables refer to.
const (
	REST    = "tusq-rest"
	SQS     = "tusq-sqs"
	Handler = "noop"
	Inserts = "sql"
)
