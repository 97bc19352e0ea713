//go:build fault

package faultpoint

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tusq/internal/faultpoint/catalogue"
)

// Enabled tells whether this build has fault points.
const Enabled = true

// fault is what happens at one hit of a point.
type fault struct {
	kind  string // crash, pause, fail or refuse
	pause time.Duration
	at    int // the hit; 0: every one
}

// state is the plan of faults and what has been passed since it was made.
var state struct {
	sync.Mutex
	faults map[string][]fault
	hits   map[string]int
	passed []string
}

var planned = os.Getenv("TUSQ_FAULT") != "" || os.Getenv("TUSQ_FAULT_CONTROL") != ""

func init() {
	if err := arm(os.Getenv("TUSQ_FAULT")); err != nil {
		panic(err)
	}
	if address := os.Getenv("TUSQ_FAULT_CONTROL"); address != "" {
		if err := control(address); err != nil {
			panic(err)
		}
	}
	if bug != "" {
		known(bug)
	}
}

// arm makes a plan and forgets what has been passed.
func arm(plan string) error {
	faults := map[string][]fault{}
	for _, entry := range strings.FieldsFunc(plan, func(c rune) bool { return c == ',' }) {
		name, f, err := parse(entry)
		if err != nil {
			return fmt.Errorf("faultpoint: %q: %w", entry, err)
		}
		faults[name] = append(faults[name], f)
	}
	state.Lock()
	defer state.Unlock()
	state.faults, state.hits, state.passed = faults, map[string]int{}, nil
	return nil
}

// parse reads NAME=KIND[:PAUSE][@HIT].
func parse(entry string) (name string, f fault, err error) {
	name, what, _ := strings.Cut(entry, "=")
	what, at, _ := strings.Cut(what, "@")
	kind, pause, _ := strings.Cut(what, ":")
	f.kind = kind
	if at != "*" {
		if f.at, err = strconv.Atoi(cmp.Or(at, "1")); err != nil {
			return "", f, err
		}
	}
	point, known := catalogue.FindPoint(name)
	switch {
	case !known:
		return "", f, fmt.Errorf("there is no such point")
	case kind == "pause":
		f.pause, err = time.ParseDuration(pause)
	case kind == "crash":
	case (kind == "fail" || kind == "refuse") && point.Fails:
	default:
		err = fmt.Errorf("this point cannot %s", kind)
	}
	return name, f, err
}

// Hit passes a point, which may fail.
func Hit(name string) error {
	if !planned {
		return nil
	}
	f := note(name)
	switch f.kind {
	case "crash":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it takes effect
	case "pause":
		time.Sleep(f.pause)
	case "fail":
		return fmt.Errorf("fault point %s: %w", name, io.ErrUnexpectedEOF)
	case "refuse":
		return &pgconn.PgError{Severity: "ERROR", Code: "22000", Message: "fault point " + name}
	}
	return nil
}

// note counts a hit and returns its fault, if it has one.
func note(name string) fault {
	if _, known := catalogue.FindPoint(name); !known {
		panic("faultpoint: " + name + " is not in the catalogue")
	}
	state.Lock()
	defer state.Unlock()
	state.hits[name]++
	if len(state.passed) < 1000 {
		state.passed = append(state.passed, name)
	}
	for _, f := range state.faults[name] {
		if f.at == 0 || f.at == state.hits[name] {
			return f
		}
	}
	return fault{}
}

// Pass passes a point that cannot fail.
func Pass(name string) { _ = Hit(name) }

// Planned tells whether faults may be asked for.
func Planned() bool { return planned }

// Every is the pause of a background job.
func Every(pause time.Duration) time.Duration {
	if every, err := time.ParseDuration(os.Getenv("TUSQ_FAULT_JOBS")); err == nil {
		return every
	}
	return pause
}
