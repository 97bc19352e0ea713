package service

import (
	"log/slog"
	"testing"
)

// TestLoadsOfKeysAtTheSameTime revokes a key between two loads, which end in either order.
func TestLoadsOfKeysAtTheSameTime(t *testing.T) {
	with := KeySet{Version: 1, Keys: []LoadedKey{{AccessKey: AccessKey{ID: "KEY"}}}}
	without := KeySet{Version: 2}
	for name, order := range map[string][2]KeySet{"the earlier ends first": {with, without}, "the later ends first": {without, with}} {
		k := newKeyring(nil, Options{Logger: slog.New(slog.DiscardHandler)})
		began := k.now.Load()
		for _, set := range order {
			k.replace(began, set)
		}
		if held := k.now.Load(); held.keys["KEY"] != nil || held.version != 2 {
			t.Errorf("%s: the revoked key is held, of version %d", name, held.version)
		}
		// What a failover has lost is lost.
		k.replace(k.now.Load(), with)
		if k.now.Load().keys["KEY"] == nil {
			t.Errorf("%s: a load after all others does not count", name)
		}
	}
}
