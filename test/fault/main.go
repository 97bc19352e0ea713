// Command fault does harm to a whole tusq service by seed, while clients record all that they ask for and are told, and checks that
// nothing was lost: see docs/reliability.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tusq/test/fault/disk"
	"tusq/test/fault/rig"
	"tusq/test/fault/scenario"
)

// config is what the flags say.
type config struct {
	duration time.Duration
	round    time.Duration
	seed     uint64
	out      string
	binary   string
	balancer string
	replicas int
	scenario string
	previous string
	module   string
	strain   time.Duration
	groups   int
	every    int
	expired  int
	times    int
	bugs     string
	forger   bool
	only     string
	load     loadSize
}

// loadSize is how much the clients do.
type loadSize struct {
	producers, consumers int
	rate                 float64
}

// errViolations says that a promise was broken.
var errViolations = errors.New("promises were broken")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends this process, and with it all others
	// What mounts says why it cannot; nothing else needs mounts.
	_ = disk.Private()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errViolations), errors.Is(err, scenario.ErrBroken):
		fmt.Fprintln(os.Stderr, "fault:", err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "fault:", err)
		os.Exit(2)
	}
}

func parse(args []string) (config, error) {
	var c config
	flags := flag.NewFlagSet("fault", flag.ContinueOnError)
	flags.DurationVar(&c.duration, "duration", time.Hour, "begin no round after this time")
	flags.DurationVar(&c.round, "round", 30*time.Second, "how long each round's load and faults last; the drain comes after it")
	flags.Uint64Var(&c.seed, "seed", rand.Uint64N(1_000_000), "of all choices")
	flags.StringVar(&c.out, "out", "", "directory for histories, data and logs; it is kept (default: a new one)")
	flags.StringVar(&c.binary, "binary", "../../bin/tusq", "the tusq to test")
	flags.StringVar(&c.balancer, "balancer", "../../deploy/haproxy.cfg", "configuration of the load balancer")
	flags.IntVar(&c.replicas, "replicas", 3, "1 to 3")
	flags.StringVar(&c.scenario, "scenario", "chaos", "chaos: faults by seed; rolling: restarts of all replicas, in which no request may fail; "+
		"upgrade: the same from the version before to this one, and back; or one of "+strings.Join(scenario.Names(), ", "))
	flags.IntVar(&c.times, "times", 20, "rolling restarts, upgrades, power losses, failovers, cancelled waits")
	flags.StringVar(&c.previous, "previous", "", "revision that the scenario upgrade begins with (default: the one before the newest migration was added)")
	flags.StringVar(&c.module, "module", "../..", "the source of tusq")
	flags.DurationVar(&c.strain, "strain", 10*time.Minute, "how long the scenarios horizon and autovacuum last")
	flags.IntVar(&c.every, "every", 1, "of the scenario sweep: cut after one of so many bytes")
	flags.IntVar(&c.groups, "groups", 0, "of the FIFO queue that those two use; 0: they use a standard queue")
	flags.IntVar(&c.expired, "expired", 1_000_000, "messages, of the scenario expiry")
	flags.StringVar(&c.bugs, "bugs", "", "all, or names of bugs that are put into -binary, which is built with the tag fault: a round for each, which must find it")
	flags.BoolVar(&c.forger, "forger", true, "begin each round of -bugs with receipts that were made up or have been superseded")
	flags.StringVar(&c.only, "faults", "", "names of the faults to choose from, separated by commas (default: all of "+faultNames()+")")
	flags.IntVar(&c.load.producers, "producers", 8, "clients that send")
	flags.IntVar(&c.load.consumers, "consumers", 16, "clients that receive")
	flags.Float64Var(&c.load.rate, "rate", 0, "messages per second; 0: as fast as it goes")
	return c, flags.Parse(args)
}

func faultNames() string {
	var names []string
	for _, f := range rig.Faults() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

func run(ctx context.Context, args []string, out io.Writer) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	if c.binary, err = filepath.Abs(c.binary); err != nil {
		return err
	}
	if c.out, err = outDir(c.out); err != nil {
		return err
	}
	faults, err := choose(c.only)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d; histories, data and logs are in %s\n", c.seed, c.out)
	if slices.Contains(scenario.Names(), c.scenario) {
		return scenario.Run(ctx, c.scenario, scenario.Options{
			Dir: c.out, Module: c.module, Binary: c.binary, Seed: c.seed, Times: c.times, Every: c.every, Duration: c.strain, Groups: c.groups, Expired: c.expired,
			Print: func(line string) { fmt.Fprintln(out, line) },
		})
	}
	if c.scenario == "upgrade" {
		return upgrade(ctx, c, out)
	}
	s, err := startService(ctx, c)
	if err != nil {
		return err
	}
	defer s.cluster.Close()
	s.print = out
	if c.bugs != "" {
		s.honest = !c.forger
		return s.bugs(ctx, c.bugs, c.round)
	}
	if c.scenario == "rolling" {
		return s.rolling(ctx, c.times)
	}
	if c.scenario != "chaos" {
		return fmt.Errorf("no scenario is called %q", c.scenario)
	}
	return s.chaos(ctx, c.duration, c.round, faults)
}

// outDir makes a directory that the user who runs PostgreSQL can enter.
func outDir(dir string) (string, error) {
	if dir == "" {
		made, err := os.MkdirTemp("", "tusq-fault-")
		if err != nil {
			return "", err
		}
		return made, os.Chmod(made, 0o711)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o711)
}

func choose(names string) ([]rig.Fault, error) {
	if names == "" {
		return rig.Faults(), nil
	}
	var chosen []rig.Fault
	for name := range strings.SplitSeq(names, ",") {
		f, err := rig.FaultNamed(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, f)
	}
	return chosen, nil
}
