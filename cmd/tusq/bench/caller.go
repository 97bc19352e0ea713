package bench

import (
	"context"
	"strconv"
	"strings"
	"time"
)

const (
	smallBuffer = 4 << 10  // bytes of a connection's buffer, for singles
	largeBuffer = 64 << 10 // the same, at most
)

// outcome is what became of a call.
type outcome struct {
	succeeded int      // messages
	failures  []string // kinds of errors: of the whole call, or one for each failed message
}

func failed(kind string) outcome { return outcome{failures: []string{kind}} }

// caller makes calls on one connection. What it returns is good until the next call. It
// is for one goroutine.
type caller struct {
	protocol protocol
	conn     *conn
	signer   *signer // nil: nothing is signed

	body     []byte
	receipts [][]byte
	bodies   [][]byte
}

func newCaller(o *Options, p protocol, e *endpoint) *caller {
	buffer := min(max(o.Batch*(o.Size+smallBuffer/8), smallBuffer), largeBuffer)
	c := &caller{protocol: p, conn: newConn(e, buffer)}
	if o.SQS != "" && o.Signing.signed() {
		c.signer = newSigner(e, o.Signing)
	}
	return c
}

// do makes the call whose request was set up, with c.body. failure is empty if it
// succeeded.
func (c *caller) do(ctx context.Context, wait time.Duration) (failure string) {
	c.conn.request.SetBodyRaw(c.body)
	if c.signer != nil {
		if err := c.signer.sign(ctx, &c.conn.request, c.body); err != nil {
			return "not signed"
		}
	}
	if err := c.conn.do(ctx, wait); err != nil {
		return transportError(err)
	}
	if status := c.conn.response.StatusCode(); !isSuccess(status) {
		return callFailure(c.conn.response.Body(), status, c.protocol.words())
	}
	return ""
}

// callFailure names why a call was refused: the server's code, or the status.
func callFailure(answer []byte, status int, w *words) string {
	code := ""
	eachText(answer, w.callError, func(text []byte) {
		if code == "" {
			code = string(text)
		}
	})
	if code == "" {
		return "status " + strconv.Itoa(status)
	}
	return code[strings.LastIndexByte(code, '#')+1:] // of SQS, without its namespace
}

// send sends messages.
func (c *caller) send(ctx context.Context, q *queue, messages []message) outcome {
	c.body = c.protocol.send(c.body[:0], &c.conn.request, q, messages)
	if failure := c.do(ctx, 0); failure != "" {
		return failed(failure)
	}
	result := c.items(len(messages))
	if ids := countTexts(c.conn.response.Body(), c.protocol.words().id); ids != result.succeeded {
		return failed("wrong answer")
	}
	return result
}

// post sends messages to what only has to answer.
func (c *caller) post(ctx context.Context, q *queue, messages []message) outcome {
	c.body = c.protocol.send(c.body[:0], &c.conn.request, q, messages)
	if failure := c.do(ctx, 0); failure != "" {
		return failed(failure)
	}
	return outcome{succeeded: len(messages)}
}

// receive asks for messages, whose receipts and bodies it keeps.
func (c *caller) receive(ctx context.Context, q *queue, ask receive) outcome {
	c.receipts, c.bodies = c.receipts[:0], c.bodies[:0]
	c.body = c.protocol.receive(c.body[:0], &c.conn.request, q, ask)
	if failure := c.do(ctx, time.Duration(ask.waitSeconds)*time.Second); failure != "" {
		return failed(failure)
	}
	answer, w := c.conn.response.Body(), c.protocol.words()
	eachText(answer, w.receipt, func(text []byte) { c.receipts = append(c.receipts, text) })
	return outcome{succeeded: len(c.receipts)}
}

// texts returns the bodies of what was received.
func (c *caller) texts() [][]byte {
	eachText(c.conn.response.Body(), c.protocol.words().body, func(text []byte) { c.bodies = append(c.bodies, text) })
	return c.bodies
}

// delete deletes what was received.
func (c *caller) delete(ctx context.Context, q *queue) outcome {
	n := len(c.receipts)
	c.body = c.protocol.delete(c.body[:0], &c.conn.request, q, c.receipts)
	if failure := c.do(ctx, 0); failure != "" {
		return failed(failure)
	}
	if n == 1 {
		return outcome{succeeded: 1}
	}
	return c.items(n)
}

// items reads what became of a batch's items.
func (c *caller) items(n int) outcome {
	var failures []string
	eachText(c.conn.response.Body(), c.protocol.words().itemError, func(code []byte) {
		failures = append(failures, string(code))
	})
	return outcome{max(0, n-len(failures)), failures}
}
