package service

import "testing"

// TestPlannedSendsAreNoLongerRefused: a flush that refused its sends may be divided, and its parts store them.
func TestPlannedSendsAreNoLongerRefused(t *testing.T) {
	o := &op{kind: opSend, queue: &Queue{ID: 1}, send: &Outgoing{}, refused: ErrNoStandby}
	if work := plan([]*op{o}, 0, 1); len(work) != 1 || len(work[0].Sends) != 1 || o.refused != nil {
		t.Errorf("planned %+v, refused: %v", work, o.refused)
	}
}
