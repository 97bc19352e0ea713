package crash

import (
	"testing"

	"tusq/client"
)

// TestRefusedRepetition has PostgreSQL refuse the repetition of a flush that it has committed. Nobody may
// be told that nothing was stored, and the parts are no flushes of their own: what was received and deleted meanwhile would come again.
func TestRefusedRepetition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	queue := w.newQueue("", nil)
	batch := []client.SendMessage{message("", "a"), message("", "b"), message("", "c")}
	w.arm("repository.commit.after=fail,repository.statement.answered=refuse@2")
	sent, err := w.client.SendMany(t.Context(), queue, batch, client.WithIdempotencyKey("key"))
	if client.ErrorCode(err) != "unavailable" {
		t.Errorf("sent %+v, %v", sent, err)
	}
	w.arm("")
	w.holds(queue, "a", "b", "c")
	sent, err = w.client.SendMany(t.Context(), queue, batch, client.WithIdempotencyKey("key"))
	if err != nil || len(sent) != len(batch) {
		t.Errorf("sent again %+v, %v", sent, err)
	}
	w.gives(queue, false, "a", "b", "c")
}
