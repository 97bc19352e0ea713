package disk

import (
	"testing"

	"tusq/service"
)

// TestFullDataVolume fills the disk of PostgreSQL's tables: sends are refused with their own code, receives and deletes go on,
// and sends do again once there is room.
func TestFullDataVolume(t *testing.T) {
	needVolumes(t)
	report, err := FullData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if !report.Clean() || report.Stopped {
		t.Error("what was acknowledged did not hold")
	}
	if report.Deletes != report.Held {
		t.Error("deletes need no room, and were refused")
	}
	for code := range report.Refused {
		if code != service.CodeStorageFull {
			t.Errorf("a full disk is %s", code)
		}
	}
}

// TestFullLogVolume fills the disk of PostgreSQL's log, which stops it: replicas serve again by themselves after its restart.
func TestFullLogVolume(t *testing.T) {
	needVolumes(t)
	report, err := FullLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if !report.Clean() {
		t.Error("what was acknowledged did not hold")
	}
	for code := range report.Refused {
		if code != service.CodeUnavailable && code != service.CodeStorageFull {
			t.Errorf("a server that has stopped is %s", code)
		}
	}
}
