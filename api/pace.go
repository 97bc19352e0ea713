package api

import (
	"net/http"
	"time"
)

// Bodies longer than shortBody must come at a pace: bodyGrace after the header, and later
// by a second for each bodyPace bytes that have come, the rest is waited for no longer. What
// has come of a body is held among the bytes in flight, so that who sends most of much would
// keep others from sending. Shorter ones hold too little for that; they have the server's
// time for a whole request.
const (
	shortBody = 64 << 10
	bodyGrace = 15 * time.Second
	bodyPace  = 256 << 10 // bytes a second
)

// pace is how fast one request's body has to come.
type pace struct {
	connection *http.ResponseController
	start      time.Time
	grace      time.Duration
}

// newPace returns the pace of a body of so many bytes (-1: unknown), or nil if it has none.
func (m *middleware) newPace(w http.ResponseWriter, size int64) *pace {
	if size >= 0 && size <= shortBody {
		return nil
	}
	p := &pace{connection: http.NewResponseController(w), start: time.Now(), grace: m.bodyGrace}
	p.came(0)
	return p
}

// came moves the deadline: so many bytes have come.
func (p *pace) came(bytes int64) {
	earned := time.Duration(bytes) * time.Second / bodyPace
	// What cannot have a deadline is no connection: nobody can hold it.
	_ = p.connection.SetReadDeadline(p.start.Add(p.grace + earned))
}

// done ends the deadline. The server sets its own at the next request.
func (p *pace) done() { _ = p.connection.SetReadDeadline(time.Time{}) }
