package bench

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkCalls costs what a message's three calls cost the generator.
func BenchmarkCalls(b *testing.B) {
	for _, target := range []string{"rest", "sqs"} {
		b.Run(target, func(b *testing.B) {
			c, q := cannedCaller(b, target == "sqs")
			o := options(b, Lifecycle)
			box := newOutbox(&o, newMark(), 0, 1)
			b.ReportAllocs()
			for b.Loop() {
				sent := c.send(b.Context(), q, box.next(0))
				got := c.receive(b.Context(), q, receive{1, 1})
				gone := c.delete(b.Context(), q)
				if sent.succeeded != 1 || got.succeeded != 1 || gone.succeeded != 1 {
					b.Fatal(sent, got, gone)
				}
			}
		})
	}
}

// TestCallsHardlyAllocate: the generator must leave the machine to the server. Without the
// race detector, which makes pools forgetful, nothing is allocated.
func TestCallsHardlyAllocate(t *testing.T) {
	for _, target := range []string{"rest", "sqs"} {
		c, q := cannedCaller(t, target == "sqs")
		o := options(t, Lifecycle)
		box := newOutbox(&o, newMark(), 0, 1)
		allocations := testing.AllocsPerRun(200, func() {
			c.send(t.Context(), q, box.next(0))
			c.receive(t.Context(), q, receive{1, 1})
			c.delete(t.Context(), q)
		})
		if allocations > 3 {
			t.Errorf("%s: %v allocations", target, allocations)
		}
	}
}

// cannedCaller returns a caller whose server answers everything with one answer, and
// allocates nothing.
func cannedCaller(tb testing.TB, useSQS bool) (*caller, *queue) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { listener.Close() })
	go serveCanned(listener)
	o := options(tb, Lifecycle)
	url := "http://" + listener.Addr().String()
	var p protocol
	var e *endpoint
	if useSQS {
		api, err := newSQS(url, Signing{}, nil)
		if err != nil {
			tb.Fatal(err)
		}
		p, e = api, api.endpoint
	} else {
		api, err := newREST(url, "", nil)
		if err != nil {
			tb.Fatal(err)
		}
		p, e = api, api.endpoint
	}
	c := newCaller(&o, p, e)
	tb.Cleanup(c.conn.close)
	return c, &queue{name: "q", url: url + "/000000000000/q"}
}

func serveCanned(listener net.Listener) {
	opened, err := listener.Accept()
	if err != nil {
		return
	}
	defer opened.Close()
	const body = `{"id":"1","receipt":"r","MessageId":"1","ReceiptHandle":"r"}`
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	in := bufio.NewReader(opened)
	var request fasthttp.Request
	for {
		if err := request.Read(in); err != nil {
			return
		}
		if _, err := opened.Write(answer); err != nil {
			return
		}
	}
}
