package check

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"tusq/test/fault/history"
)

// TestLargeHistory: 300,000 messages, a tenth of them received twice, in batches of ten, some of them
// in one large group, with counts asked for now and then. The bounds are far above what it takes,
// but far below what a rule that compares all with all would.
func TestLargeHistory(t *testing.T) {
	const messages = 300_000
	events := largeHistory(messages)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := processorTime(t)
	report := Run(events, Options{})
	took := processorTime(t) - begin
	runtime.ReadMemStats(&after)
	bytes := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d events, %d MiB allocated, %s of processor time", len(events), bytes>>20, took)
	if !report.OK() || report.Acknowledged != messages || report.Messages != messages || report.Received != messages*11/10 {
		t.Errorf("%s", report)
	}
	if bytes > 2<<30 || took > 30*time.Second {
		t.Errorf("took %s and %d MiB", took, bytes>>20)
	}
}

// processorTime is what this process has used: others may keep the machine busy.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func largeHistory(messages int) []history.Event {
	var events []history.Event
	for i := 0; i < messages; i += 10 {
		queue, group := "q", ""
		if i%20 == 0 {
			queue, group = queueF, fmt.Sprint("g", i%1000)
			if i%60 == 0 {
				group = "large"
			}
		}
		begin := i / 10 // seconds
		batch, first, second := make([]history.Message, 10), make([]history.Message, 10), []history.Message(nil)
		for j := range batch {
			uid := fmt.Sprint("u", i+j)
			batch[j] = body(uid)
			batch[j].Group, batch[j].Outcome = group, ok
			if group != "" {
				batch[j].Sequence, batch[j].Deduplication = fmt.Sprint(i+j+1), uid
			}
			first[j] = batch[j]
			first[j].Receipt, first[j].Receives = "r"+uid, 1
		}
		last := first[9]
		last.Receipt, last.Receives = last.Receipt+"again", 2
		second = append(second, last)
		get := receive(queue, begin+1, begin+1, first...)
		get.Visibility = time.Second / 2
		events = append(events, send(queue, begin, begin, ok, batch...), get,
			remove(queue, begin+1, begin+1, ok, first[:9]...),
			receive(queue, begin+3, begin+3, second...), remove(queue, begin+4, begin+4, ok, second...))
		if i%1000 == 0 {
			events = append(events, stats(queue, begin, begin+1, 1))
		}
	}
	end := messages/10 + 10
	return append(events, drained("q", end), drained(queueF, end), stats("q", end+1, end+1, 0))
}
