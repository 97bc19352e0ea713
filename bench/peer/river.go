package peer

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"tusq/bench/report"
	"tusq/internal/process"
)

// riverConnections leaves some of PostgreSQL's 100 to itself.
const riverConnections = 90

// River is a job queue as a library over PostgreSQL. Its workers hand their jobs to the sessions.
type River struct {
	server *process.Postgres
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	jobs   chan riverJob

	working sync.Once
	started bool
	settled atomic.Int64
}

// riverArgs is a job's payload.
type riverArgs struct {
	Body string `json:"body"`
}

// Kind names the jobs for River.
func (riverArgs) Kind() string { return "bench" }

// riverJob is a job that a worker has begun; it ends when done is closed.
type riverJob struct {
	body string
	done chan struct{}
}

// Series names it.
func (*River) Series() report.Series {
	return report.Series{Name: "river", Title: "River " + riverVersion() + " (library, PostgreSQL)", Send: "committed", Settle: "counted when committed"}
}

func riverVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/riverqueue/river" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return ""
}

// Start starts PostgreSQL and makes River's tables.
func (r *River) Start(ctx context.Context, dir string) (err error) {
	*r = River{jobs: make(chan riverJob)}
	if r.server, err = process.StartPostgres(ctx, dir); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(r.server.URL())
	if err != nil {
		return err
	}
	config.MaxConns = riverConnections
	if r.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	driver, quiet := riverpgxv5.New(r.pool), slog.New(slog.DiscardHandler)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(r.work))
	r.client, err = river.NewClient(driver, &river.Config{
		Logger:        quiet,
		Workers:       workers,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: prefetch}},
		FetchCooldown: time.Millisecond, // the least that River allows
	})
	return err
}

// work is a job: it waits until its session settles it.
func (r *River) work(ctx context.Context, job *river.Job[riverArgs]) error {
	begun := riverJob{body: job.Args.Body, done: make(chan struct{})}
	select {
	case r.jobs <- begun:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-begun.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends the workers and PostgreSQL.
func (r *River) Stop() {
	if r.started {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = r.client.StopAndCancel(ctx)
	}
	if r.pool != nil {
		r.pool.Close()
	}
	if r.server != nil {
		r.server.Stop()
	}
	*r = River{}
}

// Settled counts completed jobs.
func (r *River) Settled() int64 { return r.settled.Load() }

// Connect gives access to the one client; the first session that receives starts its workers.
func (r *River) Connect(ctx context.Context, kind Kind) (_ Session, err error) {
	if kind.Receives {
		r.working.Do(func() {
			completed, _ := r.client.SubscribeConfig(&river.SubscribeConfig{ChanSize: 100_000, Kinds: []river.EventKind{river.EventKindJobCompleted}})
			go func() { // ends when the client stops, which closes the channel
				for range completed {
					r.settled.Add(1)
				}
			}()
			err = r.client.Start(context.WithoutCancel(ctx))
			r.started = err == nil
		})
	}
	return riverSession{r}, err
}

type riverSession struct{ *River }

// Send inserts jobs in one transaction.
func (s riverSession) Send(ctx context.Context, bodies []string) error {
	if len(bodies) == 1 {
		_, err := s.client.Insert(ctx, riverArgs{bodies[0]}, nil)
		return err
	}
	jobs := make([]river.InsertManyParams, len(bodies))
	for i, body := range bodies {
		jobs[i].Args = riverArgs{body}
	}
	_, err := s.client.InsertManyFast(ctx, jobs)
	return err
}

// Receive takes jobs that workers have begun.
func (s riverSession) Receive(ctx context.Context, limit int) ([]Delivery, error) {
	return take(ctx, s.jobs, limit, func(job riverJob) Delivery { return Delivery{Body: job.body, Handle: job} })
}

// Settle lets the workers end; River completes their jobs in the background.
func (s riverSession) Settle(_ context.Context, deliveries []Delivery) error {
	for _, d := range deliveries {
		job, _ := d.Handle.(riverJob)
		close(job.done)
	}
	return nil
}

// Close does nothing: all sessions share a client.
func (riverSession) Close() {}
