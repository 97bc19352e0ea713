// Command tusq is a message queue service on PostgreSQL, and its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"syscall"

	"github.com/alecthomas/kong"

	"tusq/internal/version"
)

// cli is every command with its flags and environment variables.
type cli struct {
	Globals

	Serve   serveCmd         `cmd:"" help:"Run the service."`
	Migrate migrateCmd       `cmd:"" help:"Bring the database's schema up to date, or tell where it is."`
	Queue   QueueCmd         `cmd:"" help:"Create, list and delete queues, and move dead letters back."`
	Key     KeyCmd           `cmd:"" help:"Create, list, rotate and revoke keys, which say who may do what."`
	Send    SendCmd          `cmd:"" help:"Send messages to a queue."`
	Receive ReceiveCmd       `cmd:"" help:"Receive messages from a queue."`
	User    UserCmd          `cmd:"" help:"Manage those who sign in to the console."`
	Audit   AuditCmd         `cmd:"" help:"Print the audit log, the newest entries first."`
	Doctor  doctorCmd        `cmd:"" help:"Tell how fit the database is, and what to do about it. Exits with 1 where something is wrong."`
	Fsck    fsckCmd          `cmd:"" help:"Check that what the database holds agrees with itself, while the service runs. Exits with 1 where it does not."`
	Bench   BenchCmd         `cmd:"" help:"Measure a server."`
	Version kong.VersionFlag `help:"Print the version."`
}

func main() {
	os.Exit(execute(os.Args[1:]))
}

// execute parses the command line and runs the command. The first SIGINT or SIGTERM asks
// it to end; the second one kills, as nothing catches it any more.
func execute(args []string) int {
	ctx, stop := withSignals(context.Background())
	defer stop()
	c := cli{Globals: Globals{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Token: os.Getenv("TUSQ_TOKEN")}}
	c.Bench.SecretKey, c.Bench.SessionToken = os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")
	parser := newParser(ctx, &c)
	command, err := parser.Parse(args)
	if err != nil {
		parser.FatalIfErrorf(err)
	}
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "tusq:", err)
		return 1
	}
	return 0
}

// newParser makes the parser of command lines into c, whose commands run until ctx ends.
func newParser(ctx context.Context, c *cli, more ...kong.Option) *kong.Kong {
	return kong.Must(c, append([]kong.Option{
		kong.Name("tusq"),
		kong.Description("A message queue service on PostgreSQL: an SQS that you own."),
		kong.Vars{"version": version.String()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&c.Globals),
		kong.NamedMapper("path", kong.MapperFunc(decodePath)),
		kong.UsageOnError(),
	}, more...)...)
}

// decodePath makes a path absolute. An empty one is the default, where Kong makes it the working directory: a variable
// that is set to nothing gives no path.
func decodePath(ctx *kong.DecodeContext, target reflect.Value) error {
	var path string
	if err := ctx.Scan.PopValueInto("path", &path); err != nil {
		return err
	}
	if path == "" {
		path = ctx.Value.Default
	}
	if path != "" {
		path = kong.ExpandPath(path)
	}
	target.SetString(path)
	return nil
}

// errSignal is the cause of a context that a signal has ended.
type errSignal struct{ os.Signal }

func (e errSignal) Error() string { return e.String() }

// withSignals ends the context at the first SIGINT or SIGTERM, which is its cause.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(errSignal{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// isInterrupt tells whether ctx was ended from a terminal.
func isInterrupt(ctx context.Context) bool {
	var s errSignal
	return errors.As(context.Cause(ctx), &s) && s == errSignal{syscall.SIGINT}
}
