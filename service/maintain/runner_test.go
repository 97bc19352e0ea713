package maintain

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRun checks a job's pace: at once while it has work, after a pause when it has
// none or fails, and not after its end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		var runs []time.Duration
		start := time.Now()
		results := []struct {
			done int64
			err  error
		}{{5, nil}, {5, nil}, {0, nil}, {5, errors.New("broken")}}
		job := Job{Name: "sweep", Every: time.Minute, Do: func(context.Context) (int64, error) {
			runs = append(runs, time.Since(start))
			if len(runs) > len(results) {
				cancel()
				return 0, nil
			}
			r := results[len(runs)-1]
			return r.done, r.err
		}}
		if err := Run(ctx, slog.New(slog.NewTextHandler(&log, nil)), []Job{job}); err != nil {
			t.Error(err)
		}
		if len(runs) != 5 || runs[2] != 0 || runs[3] < 45*time.Second || runs[4]-runs[3] < 45*time.Second || runs[4] > 150*time.Second {
			t.Errorf("the job ran at %v", runs)
		}
		if !strings.Contains(log.String(), "job=sweep err=broken") {
			t.Errorf("the log has no word of the failure: %s", log.String())
		}
	})
}
