package history

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// TestHistoryIsReadAsItWasRecorded also where the recorder was killed before its end.
func TestHistoryIsReadAsItWasRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.gz")
	r, err := NewRecorder(path)
	if err != nil {
		t.Fatal(err)
	}
	r.Record(Event{Client: 1, Op: Send, Queue: "orders", Invoked: r.Now(), Returned: r.Now(), Outcome: OK,
		Messages: []Message{{UID: "1-1", Outcome: OK, ID: "a", Delay: time.Second}}})
	r.Note("kill a replica")
	r.Record(Event{Op: Stats, Queue: "orders", Outcome: OK, Counts: &Counts{Visible: 1}})
	want, err := r.Close()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || !reflect.DeepEqual(got, want) || len(got) != 3 {
		t.Fatalf("read %+v, %v; recorded %+v", got, err, want)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || len(got) > len(want) {
		t.Errorf("read %d events of a history that was cut off, %v", len(got), err)
	}
}
