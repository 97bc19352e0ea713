package lifecycle

import (
	"slices"
	"strings"

	"tusq/service"
	"tusq/test/canary"
)

// canaried is a surface whose bodies and attributes hold what the log must not show, see
// [canary.Watch]. The tests do not see it.
type canaried struct{ surface }

// mark is what bodies end with.
const mark = " " + canary.Text

// markable tells whether a longer body is the same to a queue: those near the limits are not, nor those
// of which a FIFO queue makes the deduplication id.
func markable(queue string, m service.SendMessage) bool {
	const far = 10_000
	return m.Body != "" && len(m.Body) < far && (!strings.HasSuffix(queue, service.FIFOSuffix) || m.DeduplicationID != "")
}

// Send implements surface.
func (c canaried) Send(queue, key string, messages ...service.SendMessage) []service.Sent {
	messages = slices.Clone(messages)
	for i, m := range messages {
		if markable(queue, m) {
			messages[i].Body += mark
		}
	}
	return c.surface.Send(queue, key, messages...)
}

// Receive implements surface.
func (c canaried) Receive(queue string, receive service.ReceiveMessages) ([]service.Message, error) {
	messages, err := c.surface.Receive(queue, receive)
	for i := range messages {
		messages[i].Body = strings.TrimSuffix(messages[i].Body, mark)
	}
	return messages, err
}
