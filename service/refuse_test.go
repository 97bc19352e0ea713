package service

import (
	"errors"
	"slices"
	"testing"
)

// TestOnlySendsNeedAStandby: what else a flush does goes on without them.
func TestOnlySendsNeedAStandby(t *testing.T) {
	var ops, rest []*op
	for kind := opDelete; kind <= opLook; kind++ {
		o := &op{kind: kind}
		ops = append(ops, o, &op{kind: opSend})
		if kind != opSend {
			rest = append(rest, o)
		}
	}
	all := slices.Clone(ops)
	for _, again := range []bool{false, true} {
		s := &Service{}
		s.standbys.set(true)
		if got := s.refuseSends(ops, ErrNoStandby, again); !slices.Equal(got, rest) || !slices.Equal(ops, all) {
			t.Errorf("%d operations are left of %d, want %d", len(got), len(ops), len(rest))
		}
		for _, o := range ops {
			if refused := errors.Is(o.refused, ErrNoStandby); refused != (o.kind == opSend) {
				t.Errorf("kind %d: refused %v", o.kind, refused)
			}
			if o.kind == opSend && errors.Is(o.refused, ErrOutcomeUnknown) != again {
				t.Errorf("after a commit that is unknown (%v), a send ends with %v", again, o.refused)
			}
		}
		if named, err := s.standbys.get(t.Context()); named || err != nil {
			t.Errorf("it is still believed that there is a standby: %v", err)
		}
	}
}
