package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"tusq/service"
)

// settle deletes or extends by receipts of one queue, some of which are old.
func (m *machine) settle() {
	q := m.pick(anyQueue)
	var choice []taken
	for _, t := range m.taken {
		if t.queue == q && (q.holds(t.message) || rapid.IntRange(0, 5).Draw(m.T, "gone") == 0) {
			choice = append(choice, t)
		}
	}
	if len(choice) == 0 {
		m.Skip("no receipt")
	}
	first := rapid.IntRange(0, len(choice)-1).Draw(m.T, "receipt")
	choice = choice[first:min(len(choice), first+draw(m, "receipts", 1, 1, 2, 5))]
	var receipts []string
	for _, t := range choice {
		receipts = append(receipts, t.receipt)
	}
	s := m.surface()
	if rapid.IntRange(0, 2).Draw(m.T, "extend") > 0 {
		m.Logf("delete %s", describeTaken(choice))
		m.checkSettled(s, q, choice, nil, s.Delete(q.name, receipts...))
		return
	}
	timeout := m.visibility()
	m.Logf("extend %s by %v", describeTaken(choice), timeout)
	m.checkSettled(s, q, choice, &timeout, s.Extend(q.name, timeout, receipts...))
}

// checkSettled compares the answers to settlements.
func (m *machine) checkSettled(s surface, q *queue, choice []taken, timeout *time.Duration, errs []error) {
	codes := make([][]service.Code, len(choice))
	for i, t := range choice {
		expired := q.holds(t.message) && q.expired(t.message, m.now())
		code := q.settle(t.message, t.receipt, timeout, m.now())
		codes[i] = []service.Code{code}
		refused := code == service.CodeReceiptStale || code == service.CodeReceiptExpired
		switch {
		case timeout != nil && (expired || s.Lenient() && refused): // what has expired may be gone
			codes[i] = append(codes[i], service.CodeMessageNotFound)
		case timeout == nil && (expired || s.Lenient() && code == service.CodeReceiptStale):
			codes[i] = append(codes[i], "")
		}
	}
	for i, t := range choice {
		if timeout == nil && !q.holds(t.message) { // another receipt of the same call may have deleted it
			codes[i] = append(codes[i], "")
		}
		m.wantCode(errs[i], fmt.Sprintf("settle by receipt %d of %s", i, describeTaken(choice)), codes[i]...)
	}
}

func describeAll(messages []*message) string {
	var b strings.Builder
	for _, msg := range messages {
		fmt.Fprintf(&b, "[%s %s %q sent %s visible %s count %d-%d]", msg.id, msg.GroupID, msg.Body,
			msg.sent.Format(clock), msg.visible.Format(clock), msg.count, msg.earlier)
	}
	return b.String()
}

const clock = "02 15:04:05.000000"

func describeGot(got []service.Message) string {
	var b strings.Builder
	for _, g := range got {
		fmt.Fprintf(&b, "[%s %s %q]", g.ID, g.GroupID, g.Body)
	}
	return b.String()
}

func describeTaken(choice []taken) string {
	messages := make([]*message, len(choice))
	for i, t := range choice {
		messages[i] = t.message
	}
	return describeAll(messages)
}
