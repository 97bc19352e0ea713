package canary

import (
	"context"
	"log/slog"
	"testing"
)

// Logger logs to nowhere, and fails the test where a secret is logged, at whatever level.
func Logger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(Watch(t, slog.DiscardHandler))
}

// Watch returns a handler that passes on to next what that wants, and fails the test where a record of
// whatever level holds Text or what looks like a secret. Benchmarks are not watched: it takes time.
func Watch(t testing.TB, next slog.Handler) slog.Handler {
	t.Helper()
	if _, measures := t.(*testing.B); measures {
		return next
	}
	cage := &Cage{}
	cage.Add("the canary", Text)
	shown := slog.NewTextHandler(&alarm{t, cage}, &slog.HandlerOptions{Level: slog.LevelDebug})
	return &watch{shown, next}
}

// watch is a handler and the one that sees what it is given.
type watch struct{ shown, next slog.Handler }

// Enabled implements [slog.Handler].
func (w *watch) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (w *watch) Handle(ctx context.Context, r slog.Record) error {
	if err := w.shown.Handle(ctx, r.Clone()); err != nil {
		return err
	}
	if !w.next.Enabled(ctx, r.Level) {
		return nil
	}
	return w.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (w *watch) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &watch{w.shown.WithAttrs(attrs), w.next.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (w *watch) WithGroup(name string) slog.Handler {
	return &watch{w.shown.WithGroup(name), w.next.WithGroup(name)}
}

// alarm is a writer that fails a test by what is written to it. It is safe for concurrent use.
type alarm struct {
	t    testing.TB
	cage *Cage
}

// Write implements [io.Writer].
func (a *alarm) Write(line []byte) (int, error) {
	for _, seen := range a.cage.Find(string(line)) {
		a.t.Errorf("the log shows %v", seen)
	}
	return len(line), nil
}
