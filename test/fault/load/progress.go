package load

import (
	"sync/atomic"
	"time"
)

// Progress is what the clients have done until now, for whoever supervises them.
type Progress struct {
	Sent     atomic.Int64 // messages acknowledged, each once
	Received atomic.Int64 // messages, each as often as it came
	Deleted  atomic.Int64 // messages, each as often as it was acknowledged
	Calls    atomic.Int64
	Unknown  atomic.Int64 // calls of unknown outcome
	Failed   atomic.Int64 // calls that were refused

	success atomic.Int64 // time of the last acknowledged call
}

// LastSuccess is when a call was last acknowledged; the zero time: never.
func (p *Progress) LastSuccess() time.Time {
	at := p.success.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}
