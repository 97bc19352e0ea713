package api

import (
	"net/http"
	"time"

	"tusq/internal/faultpoint"
)

// answerStep is how many bytes of an answer a client must take in each timeout.
const answerStep = 2 << 20

// answerWriter is a ResponseWriter that remembers what was answered. While the service
// drains, it asks clients to close their connections, so that they move on to
// another replica without losing a request to a reset. A client that does not read
// does not hold the answer and its handler for ever: from its beginning on, an answer
// has timeout for each answerStep begun, and then its connection is cut.
type answerWriter struct {
	http.ResponseWriter
	draining <-chan struct{}
	timeout  time.Duration
	start    time.Time // of the answer
	status   int       // 0: nothing has been written
	bytes    int64
}

// WriteHeader begins the answer.
func (a *answerWriter) WriteHeader(status int) {
	if a.status == 0 {
		if faultpoint.Hit("api.reply") != nil {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		select {
		case <-a.draining:
			a.Header().Set("Connection", "close")
		default:
		}
		a.status = status
		a.start = time.Now()
		a.setDeadline(a.start.Add(a.timeout))
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write goes on with the answer, or begins it with 200.
func (a *answerWriter) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if size := a.bytes + int64(len(p)); size > answerStep {
		steps := (size + answerStep - 1) / answerStep
		a.setDeadline(a.start.Add(a.timeout * time.Duration(steps)))
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// setDeadline cuts the connection at t unless all has been written by then. It stays
// set: the next answer on the connection has its own.
func (a *answerWriter) setDeadline(t time.Time) {
	// A writer without deadlines is no connection: nobody can hold it.
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(t)
}

// forgetDeadline ends the deadline of the connection's last answer. That is necessary
// where something is written before the answer: 100 Continue.
func (a *answerWriter) forgetDeadline() { a.setDeadline(time.Time{}) }

// Unwrap lets http.ResponseController reach the connection.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// begun tells whether some of the answer has been written.
func begun(w http.ResponseWriter) bool {
	a, ok := w.(*answerWriter)
	return ok && a.status != 0
}
