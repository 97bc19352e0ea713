// Command tusq-bench measures tusq beside the limits of the machine, or beside other queues, in one go: see `make bench` and
// `make bench-peers`. It starts every server itself, on loopback addresses and in a temporary directory, and ends them all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tusq/bench/peer"
	"tusq/bench/report"
)

// options are what the flags say.
type options struct {
	peers    bool
	quick    bool
	only     []string
	series   []string
	rounds   int
	duration time.Duration
	warmUp   time.Duration
	backlog  int64
	tusq     string
	dir      string
	out      string
	docs     string
	command  string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tusq-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	switch { // this program as one of the servers
	case len(args) == 2 && args[0] == handlerCommand:
		return serveHandler(ctx, args[1])
	case len(args) == 3 && args[0] == peer.NATSCommand:
		return peer.ServeNATS(ctx, args[1], args[2])
	}
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	set, err := measure(ctx, opts, stderr)
	if set == nil {
		return err
	}
	return errors.Join(err, publish(set, opts, err == nil, stdout, stderr))
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("tusq-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.peers, "peers", false, "measure other queues beside tusq, instead of the limits")
	flags.BoolVar(&o.quick, "quick", false, "one round of one second with a small backlog, to try the program; the documentation is left alone")
	only := flags.String("only", "", "workloads to run: `W1,W3`; the documentation is left alone")
	series := flags.String("series", "", "series to run: `tusq-rest,nats`; the documentation is left alone")
	flags.IntVar(&o.rounds, "rounds", 3, "rounds; the tables show medians")
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "how long to measure each run")
	flags.DurationVar(&o.warmUp, "warm-up", 2*time.Second, "how long each run goes before it is measured")
	flags.Int64Var(&o.backlog, "backlog", 1_000_000, "messages waiting in W5 and F5")
	flags.StringVar(&o.tusq, "tusq", "bin/tusq", "the program under test")
	flags.StringVar(&o.dir, "dir", "", "directory for the servers' files, on a real disk (default: the temporary directory)")
	flags.StringVar(&o.out, "out", "", "file or directory for the raw reports as JSON (default: the temporary directory)")
	flags.StringVar(&o.docs, "docs", "", "file whose marked section is rewritten (default docs/performance.md after a complete run)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.only, o.series = list(*only), list(*series)
	if o.quick {
		o.rounds, o.duration, o.warmUp, o.backlog = 1, time.Second, 500*time.Millisecond, 20_000
	} else if o.docs == "" && len(o.only)+len(o.series) == 0 {
		o.docs = "docs/performance.md"
	}
	o.command = command(flags)
	return o, o.check(flags.Args())
}

func (o options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q", rest[0])
	case o.rounds < 1 || o.duration <= 0 || o.warmUp < 0 || o.backlog < 1:
		return errors.New("-rounds, -duration and -backlog must be positive")
	}
	if _, err := os.Stat(o.tusq); err != nil {
		return fmt.Errorf("the program under test: %w", err)
	}
	return nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// command is what to type to measure the same again. Where files are is left out.
func command(flags *flag.FlagSet) string {
	target, said := "make bench", []string{}
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "peers":
			target = "make bench-peers"
		case "tusq", "dir", "out", "docs":
		case "quick":
			said = append(said, "-quick")
		default:
			said = append(said, "-"+f.Name+"="+f.Value.String())
		}
	})
	if len(said) > 0 {
		target += fmt.Sprintf(" BENCH=%q", strings.Join(said, " "))
	}
	return target
}

// publish prints the table, keeps the raw reports and, after a complete run, rewrites the documentation.
func publish(set *report.Set, opts options, complete bool, stdout, stderr io.Writer) error {
	name, table := "bench", set.Table()
	if opts.peers {
		name, table = "peers", set.PeerTable()
	}
	fmt.Fprint(stdout, set.Intro(), table)
	path, err := keep(set, opts.out)
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "raw reports:", path)
	if opts.docs == "" || !complete {
		return nil
	}
	fmt.Fprintln(stderr, "rewriting the section of", opts.docs)
	return report.Replace(opts.docs, name, set.Intro()+table)
}

// keep writes the raw reports to a new file in a directory, or to the file that out names.
func keep(set *report.Set, out string) (string, error) {
	var file *os.File
	info, err := os.Stat(out)
	switch {
	case out == "" || err == nil && info.IsDir():
		file, err = os.CreateTemp(out, "tusq-bench-"+set.Date.Format("20060102-150405")+"-*.json")
	default:
		if err = os.MkdirAll(filepath.Dir(out), 0o755); err == nil {
			file, err = os.Create(out)
		}
	}
	if err != nil {
		return "", err
	}
	return file.Name(), errors.Join(set.Write(file), file.Close())
}
