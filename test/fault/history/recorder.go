package history

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Recorder writes a history to a compressed file and keeps it in memory for the checkers.
type Recorder struct {
	start time.Time

	mu      sync.Mutex
	events  []Event
	file    *os.File
	zip     *gzip.Writer
	encoder *json.Encoder
	err     error
}

// NewRecorder begins a history in a new file.
func NewRecorder(path string) (*Recorder, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	r := &Recorder{start: time.Now(), file: file}
	r.zip, _ = gzip.NewWriterLevel(file, gzip.BestSpeed) // fails for unknown levels alone
	r.encoder = json.NewEncoder(r.zip)
	return r, nil
}

// Now is the history's time.
func (r *Recorder) Now() time.Duration { return time.Since(r.start) }

// Record adds an event, when it has returned.
func (r *Recorder) Record(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.err = errors.Join(r.err, r.encoder.Encode(e))
}

// Note records that a fault was injected or healed.
func (r *Recorder) Note(what string) {
	now := r.Now()
	r.Record(Event{Op: Fault, Invoked: now, Returned: now, Error: what})
}

// Close ends the history and returns its events, in the order in which they returned.
func (r *Recorder) Close() ([]Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events, errors.Join(r.err, r.zip.Close(), r.file.Close())
}

// Read reads a history that was recorded before. The end of one whose recorder was killed
// may be missing.
func Read(path string) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	zip, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var events []Event
	for decoder := json.NewDecoder(zip); ; {
		var e Event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return events, nil
		case err != nil:
			return nil, fmt.Errorf("%s: event %d: %w", path, len(events)+1, err)
		}
		events = append(events, e)
	}
}
