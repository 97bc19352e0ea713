package bench

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

const (
	markSize  = 8                   // bytes that mark a run's messages
	timeSize  = 20                  // digits of a message's time
	stampSize = markSize + timeSize // bytes at the start of a body of the workload latency
)

// outbox makes the messages of one producer, in buffers that it uses again.
type outbox struct {
	mark     string
	producer int
	fifo     bool
	groups   int
	stamped  bool
	sent     int64 // messages made
	messages []message
}

func newOutbox(o *Options, mark string, producer, batch int) *outbox {
	box := &outbox{
		mark: mark, producer: producer, fifo: o.FIFO, groups: o.Groups, stamped: o.Workload == Latency,
		messages: make([]message, batch),
	}
	if o.FIFO { // producers start in different groups
		box.sent = int64(producer) * int64(o.Groups) / int64(o.Connections)
	}
	for i := range box.messages {
		box.messages[i].body = randomText(o.Size)
	}
	return box
}

// next returns a batch. at is its time since the run's clock started, for messages that
// carry one. FIFO's groups take turns.
func (b *outbox) next(at time.Duration) []message {
	for i := range b.messages {
		m := &b.messages[i]
		if b.stamped {
			stamp(m.body, b.mark, at)
		}
		if b.fifo {
			m.group = strconv.AppendInt(append(m.group[:0], 'g'), b.sent%int64(b.groups), 10)
			m.dedup = append(append(m.dedup[:0], b.mark...), '-')
			m.dedup = append(strconv.AppendInt(m.dedup, int64(b.producer), 10), '-')
			m.dedup = strconv.AppendInt(m.dedup, b.sent, 10)
		}
		b.sent++
	}
	return b.messages
}

// stamp writes a mark and a time to the start of a body.
func stamp(body []byte, mark string, at time.Duration) {
	copy(body, mark)
	for i, rest := stampSize-1, int64(at); i >= markSize; i, rest = i-1, rest/10 {
		body[i] = byte('0' + rest%10)
	}
}

// readStamp returns the time in a body, if it has this mark.
func readStamp(body []byte, mark string) (time.Duration, bool) {
	if len(body) < stampSize || string(body[:markSize]) != mark {
		return 0, false
	}
	at, err := strconv.ParseInt(string(body[markSize:stampSize]), 10, 64)
	return time.Duration(at), err == nil
}

// newMark returns a mark for a run's messages.
func newMark() string { return fmt.Sprintf("%0*x", markSize, rand.Uint32()) }

// randomText returns text that compresses as badly as it can and needs no escapes in JSON.
func randomText(size int) []byte {
	random := make([]byte, size)
	for i := range random {
		random[i] = byte(rand.Uint32()) // #nosec G115 -- eight of its bits
	}
	return base64.StdEncoding.AppendEncode(nil, random)[:size]
}
