package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"time"

	"golang.org/x/sync/errgroup"

	"tusq/api"
	"tusq/api/sqs"
	"tusq/internal/gcpace"
	"tusq/internal/telemetry"
	"tusq/internal/version"
	"tusq/repository"
	"tusq/service"
	"tusq/web"
)

// Timeouts of connections. A request's body must have arrived in readTimeout, which is
// also longer than any wait for messages: Go ends a request's context with it.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 90 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	mergedFlushes  = 2        // connections for flushes
	aloneFlushes   = 16       // the same with --no-coalesce
	heapRoom       = 64 << 20 // bytes that the heap may grow by between two collections
)

// Bounds of the end. With --drain-delay as it is they are less than 10 seconds together, whatever the database does.
const (
	shutdownTimeout = 6 * time.Second        // for requests that are being answered
	giveUpTimeout   = 4 * time.Second        // of it, for calls that wait for the database
	endTimeout      = 2 * time.Second        // for what is pending then
	closeTimeout    = 500 * time.Millisecond // for connections to the database
)

type serveCmd struct {
	databaseFlags
	tlsFlags
	limitFlags
	authFlags
	Listen         string         `help:"Address to listen on." env:"TUSQ_LISTEN" default:"127.0.0.1:9324" placeholder:"HOST:PORT"`
	Account        string         `help:"Account whose queues are served: 12 digits." env:"TUSQ_ACCOUNT" default:"000000000000" placeholder:"ID"`
	Region         string         `help:"Region in the queues' ARNs." env:"TUSQ_REGION" default:"us-east-1" placeholder:"NAME"`
	PublicURL      string         `help:"URL under which clients reach the service, http or https, for queue URLs and the console's examples; with https the console takes it that browsers come by HTTPS. Absent: the request's own host." env:"TUSQ_PUBLIC_URL" placeholder:"URL"`
	StrictAWS      bool           `name:"strict-aws" help:"Keep Amazon's waits for SQS clients: 60 seconds before a deleted queue's name is used again, and between two purges; and its limit of 120,000 messages in flight." env:"TUSQ_STRICT_AWS" default:"true" negatable:""`
	Proxies        []netip.Prefix `name:"trusted-proxies" help:"Networks of proxies whose X-Forwarded-For is believed, for the client's address, and X-Forwarded-Proto and X-Forwarded-Host, for queue URLs and the console." env:"TUSQ_TRUSTED_PROXIES" placeholder:"CIDR,..."`
	DrainDelay     time.Duration  `help:"How long SIGTERM leaves a load balancer to notice that readiness fails." env:"TUSQ_DRAIN_DELAY" default:"1s"`
	LogLevel       slog.Level     `help:"Least severe level to log: debug, info, warn or error." env:"TUSQ_LOG_LEVEL" default:"info" placeholder:"LEVEL"`
	LogFormat      string         `help:"text or json." env:"TUSQ_LOG_FORMAT" enum:"text,json" default:"text"`
	Profiles       string         `name:"profile-listen" help:"Loopback address on which to serve Go's profiles of this process (/debug/pprof/). Absent: none." env:"TUSQ_PROFILE_LISTEN" placeholder:"HOST:PORT"`
	AuditRetention time.Duration  `help:"How long the audit log is kept: an hour at least." env:"TUSQ_AUDIT_RETENTION" default:"2160h" placeholder:"DURATION"`
	NoCoalesce     bool           `help:"Give each call a transaction of its own, to measure what merging them gains." env:"TUSQ_NO_COALESCE"`
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// Validate checks the flags against each other; kong calls it.
func (c *serveCmd) Validate() error {
	if !accountID.MatchString(c.Account) {
		return errors.New("--account must have 12 digits")
	}
	if err := errors.Join(c.tlsFlags.validate(), c.limitFlags.validate(), checkPublicURL(c.PublicURL)); err != nil {
		return err
	}
	if c.AuditRetention < time.Hour {
		return errors.New("--audit-retention must be an hour at least")
	}
	if c.Profiles != "" {
		if _, err := profileServer(c.Profiles); err != nil {
			return err
		}
	}
	return c.authFlags.validate(c.Listen)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Run serves until ctx ends. Requests are answered from the moment at which the port is open; see entry.
func (c *serveCmd) Run(ctx context.Context, g *Globals) error {
	gcpace.Start(heapRoom)
	log := c.logger(g.Stderr)
	masterKeys, err := c.givenMasterKeys()
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", c.Listen) // first: a taken port is known at once
	if err != nil {
		return err
	}
	defer listener.Close()
	door, err := c.openDoor(listener, log)
	if err != nil {
		return err
	}
	entry := newEntry(door, log)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return door.watch(ctx) })
	group.Go(entry.run)
	group.Go(func() error {
		defer entry.close()
		return c.runService(ctx, entry, masterKeys, g)
	})
	return group.Wait()
}

// runService starts the service and runs it until ctx ends. Parts end in the opposite order of their start.
func (c *serveCmd) runService(ctx context.Context, entry *entry, masterKeys service.MasterKeys, g *Globals) error {
	log := entry.log
	db, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer db.close()
	applied, err := db.migrate(ctx)
	if err != nil {
		return err
	}
	store, err := repository.Open(ctx, c.storeOptions(db, log))
	if err != nil {
		return err
	}
	defer closeSoon(store)
	opts, err := c.serviceOptions(masterKeys, log)
	if err != nil {
		return err
	}
	svc, err := service.New(ctx, store, opts)
	if err != nil {
		return err
	}
	if err := c.bootstrap(ctx, svc, g.Stdout, log); err != nil {
		return err
	}
	entry.admit(c.routes(entry.door, svc, log))
	address := entry.Addr().String()
	log.Info("serving", "address", address, "version", version.String(), "migrations_applied", applied)
	if c.showsKeys() {
		log.Warn("keys and messages can be read on the way to this server: give it --tls-cert, or --trusted-proxies of what encrypts in front of it")
	}
	printWelcome(g.Stdout, entry.url(), c.on())
	return c.serve(ctx, entry, svc, db)
}

// serve runs all parts. They outlive ctx until the HTTP server has answered its last
// request; then they end, and what is pending is committed, if the database takes it.
func (c *serveCmd) serve(ctx context.Context, entry *entry, svc *service.Service, db *database) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return runToEnd(running, svc, entry.log) })
	group.Go(func() error { return db.supervise(running) })
	if c.Profiles != "" {
		profiles, err := profileServer(c.Profiles)
		if err != nil {
			return err
		}
		group.Go(func() error { return serveProfiles(running, profiles) })
	}
	group.Go(func() error {
		defer stop()
		select {
		case <-running.Done(): // a part has failed
			return entry.server.Close()
		case <-ctx.Done():
			return c.shutDown(ctx, entry.server, svc, entry.log)
		}
	})
	return group.Wait()
}

// runToEnd runs a service. What is pending when ctx ends and the database does not take in time ends with the process, as if it
// had been killed.
func runToEnd(ctx context.Context, svc *service.Service, log *slog.Logger) error {
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(endTimeout):
		log.Warn("ending without the database, which does not answer")
		return nil
	}
}

// closeSoon closes the connections to the database. Those that do not close in time end with the process.
func closeSoon(store *repository.Repository) {
	closed := make(chan struct{})
	go func() {
		store.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(closeTimeout):
	}
}

// shutDown fails readiness, lets a load balancer notice, and answers what is open.
func (c *serveCmd) shutDown(ctx context.Context, server *http.Server, svc *service.Service, log *slog.Logger) error {
	log.Info("shutting down", "cause", context.Cause(ctx))
	svc.Drain()
	if !isInterrupt(ctx) { // who presses Ctrl-C has no load balancer to wait for
		time.Sleep(c.DrainDelay)
	}
	ending, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	defer time.AfterFunc(giveUpTimeout, svc.GiveUp).Stop()
	if err := server.Shutdown(ending); err != nil {
		log.Warn("some requests were cut off", "err", err)
		return server.Close()
	}
	return nil
}

// routes are what answers requests once the service has started.
func (c *serveCmd) routes(door *door, svc *service.Service, log *slog.Logger) http.Handler {
	metrics := telemetry.New()
	metrics.ShowWaiting(svc.Waiting)
	metrics.ShowAuditDropped(svc.AuditDropped)
	door.show(metrics)
	metrics.ShowDatabase(func() (telemetry.Database, bool) { return shownHealth(svc) })
	metrics.ShowConflicts(
		func() int64 { return svc.Conflicts().Deadlocks },
		func() int64 { return svc.Conflicts().Serialization })
	return api.NewRouter(api.Options{
		Service: svc,
		Logger:  log,
		Metrics: metrics,
		Account: c.Account,
		Auth:    c.on(), MetricsPublic: c.MetricsPublic,

		TrustedProxies: c.Proxies, Hosts: c.hosts(),

		SQS: sqs.New(svc, sqs.Options{
			Region: c.Region, PublicURL: c.PublicURL, TrustedProxies: c.Proxies, Strict: c.StrictAWS, Logger: log,
			Signatures: c.signatures(svc),
		}),
		Console: web.New(svc, web.Options{Logger: log, SignIn: c.signIn(), PublicURL: c.PublicURL, TrustedProxies: c.Proxies}),
	})
}

func httpServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// shownHealth is what the metrics say of the database.
func shownHealth(svc *service.Service) (shown telemetry.Database, known bool) {
	health, known := svc.Health()
	shown = telemetry.Database{
		Unfit: map[string]bool{}, OldestTransaction: health.OldestTransaction, DeadRows: health.DeadRows,
	}
	for fact, holds := range health.Unfit {
		shown.Unfit[string(fact)] = holds
	}
	return shown, known
}

func (c *serveCmd) storeOptions(db *database, log *slog.Logger) repository.Options {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown" // the name only spreads replicas over lanes
	}
	opts := repository.Options{URL: db.url, DirectURL: db.direct, Replica: host + " " + c.Listen, HotConnections: mergedFlushes, Logger: log}
	if c.NoCoalesce {
		opts.HotConnections = aloneFlushes
	}
	return opts
}

func (c *serveCmd) logger(out io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, opts))
	}
	return slog.New(slog.NewTextHandler(out, opts))
}

// printWelcome shows a newcomer what to do next.
func printWelcome(out io.Writer, url string, authenticated bool) {
	token := ""
	if authenticated {
		token = ` -H "Authorization: Bearer $TUSQ_TOKEN"`
	}
	fmt.Fprintf(out, `
tusq serves on %[1]s
  console   %[1]s/console
  API docs  %[1]s/docs

Try, in another terminal:
  curl -X POST %[1]s/v1/queues%[2]s -H 'Content-Type: application/json' -d '{"name": "demo"}'
  curl -X POST %[1]s/v1/queues/demo/messages%[2]s -H 'Content-Type: text/plain' -d 'hello'
  curl -X POST %[1]s/v1/queues/demo/messages/receive%[2]s

`, url, token)
}
