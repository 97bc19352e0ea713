//go:build fault

package faultpoint

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// plan makes a plan for a test.
func plan(t *testing.T, text string) {
	t.Helper()
	planned = true
	if err := arm(text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { planned = false })
}

func TestFaultsHappenAtTheirHit(t *testing.T) {
	plan(t, "repository.commit.before=fail@2,repository.commit.after=refuse,engine.split=pause:30ms,repository.revoke.claim=fail@*")
	if err := Hit("repository.commit.before"); err != nil {
		t.Errorf("the first hit: %v", err)
	}
	if err := Hit("repository.commit.before"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the second hit: %v, want a lost connection", err)
	}
	if err := Hit("repository.commit.before"); err != nil {
		t.Errorf("the third hit: %v", err)
	}
	var refused *pgconn.PgError
	if err := Hit("repository.commit.after"); !errors.As(err, &refused) {
		t.Errorf("got %v, want a refusal", err)
	}
	began := time.Now()
	if Pass("engine.split"); time.Since(began) < 30*time.Millisecond {
		t.Error("there was no pause")
	}
	for range 2 {
		if Hit("repository.revoke.claim") == nil {
			t.Error("a hit passed of a point that always fails")
		}
	}
	if got := len(state.passed); got != 7 {
		t.Errorf("%d points were noted, want 7", got)
	}
}

func TestPlansWithMistakesAreRefused(t *testing.T) {
	for _, text := range []string{
		"no.such.point=crash", "engine.split=fail", "engine.split", "api.reply=burn", "api.reply=crash@x", "api.reply=pause",
	} {
		if arm(text) == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestAPointThatIsNotInTheCatalogue(t *testing.T) {
	plan(t, "")
	defer func() {
		if recover() == nil {
			t.Error("it was passed")
		}
	}()
	Pass("no.such.point")
}

func TestChangeSQLFindsAllOfItsText(t *testing.T) {
	bug = "delay-ignored"
	defer func() { bug, changed = "", map[string]string{} }()
	ChangeSQL("delay-ignored", []string{"SELECT 1 + 1"}, "1", "2")
	if got := SQL("SELECT 1 + 1"); got != "SELECT 2 + 2" {
		t.Errorf("changed to %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a text that is not there was passed over")
		}
	}()
	ChangeSQL("delay-ignored", []string{"SELECT 1"}, "3", "4")
}
