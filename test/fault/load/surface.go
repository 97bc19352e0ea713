package load

import (
	"time"

	"tusq/test/fault/history"
)

// A surface is one of the two dialects: it writes calls and reads their answers.
type surface interface {
	name() string

	send(queue string, messages []outgoing, key string) request
	// sent reads the answer to a send: one result for each message.
	sent(r request, body []byte, messages []outgoing) ([]result, error)

	receive(queue string, ask receive) request
	received(body []byte) ([]received, error)

	remove(queue string, receipts []string) request
	extend(queue string, receipts []string, timeout int) request
	// settled reads the answer to a remove or an extend of n messages.
	settled(r request, body []byte, n int) ([]result, error)

	purge(queue string) request
	// code is the error's code in an answer that is not a success, or "".
	code(body []byte) string
}

// request is a call to make.
type request struct {
	method, path string
	header       []string // names and values in turn
	body         []byte   // nil: none
	wait         time.Duration
	single       bool // not a batch: the answer has another form
}

// receive is what a receive asks for.
type receive struct {
	most       int
	wait       int // seconds
	visibility int // seconds
}

// result is the answer to one message of a call.
type result struct {
	outcome  history.Outcome
	err      string
	id       string
	sequence string
}

// same returns n results without ids.
func same(n int, outcome history.Outcome, err string) []result {
	results := make([]result, n)
	for i := range results {
		results[i] = result{outcome: outcome, err: err}
	}
	return results
}
