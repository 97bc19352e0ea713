package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tusq/internal/faultpoint"
	"tusq/service/engine"
	"tusq/service/maintain"
	"tusq/service/wake"
)

// Bounds of the engine, of which each level of durability has one.
const (
	maxPendingBytes = 64 << 20         // that wait for a flush; more is refused with CodeOverloaded
	maxFlushBytes   = 8 << 20          // of one flush
	maxFlushOps     = 2000             // of one flush
	flushTimeout    = 10 * time.Second // of one flush
	mergedLoops     = 2                // flushes at a time: one that waits for its commit, and the next
	aloneLoops      = 16               // transactions at a time where nothing is merged
)

const (
	checkInterval    = time.Second            // of the check that makes waiting right when all hints were lost
	notifyInterval   = 5 * time.Millisecond   // at least, between two notifications to the other replicas
	listenRetry      = 500 * time.Millisecond // before listening again after a lost connection
	maintainEvery    = 5 * time.Second
	redriveEvery     = 200 * time.Millisecond // between two steps
	sweepSessions    = time.Minute
	redriveIdle      = 2 * time.Second // until redrives are looked for again where there were none
	auditForgetEvery = time.Minute
)

// Options of a Service.
type Options struct {
	Logger *slog.Logger
	// NoCoalesce gives each call a transaction of its own. It exists to measure what merging gains.
	NoCoalesce bool
	// CheckInterval is how often it is checked whether something is visible for those that
	// wait, which makes up for lost hints. 0: a second.
	CheckInterval time.Duration
	// Permits tells what a queue permits to other accounts, which a dialect's policies say. nil: nothing.
	Permits func(Queue) []Permit
	// TakesFrom tells whether a queue may be the dead-letter queue of another one of its account, which a
	// dialect's policies say. nil: of any.
	TakesFrom func(dead Queue, source string) bool
	// AuditRetention is how long the audit log is kept. 0: DefaultAuditRetention.
	AuditRetention time.Duration
	// MaxLongPolls is how many receives may wait at a time. 0: DefaultMaxLongPolls.
	MaxLongPolls int
	// Account is the deployment's own account: its administrators manage the keys of all accounts,
	// and see what the audit log has of no account that is known.
	Account string
	// MasterKeys seal the secrets of keys and the data keys of encrypted queues. Without any, there
	// can be neither.
	MasterKeys MasterKeys
	Rates      Rates // of requests that are made with keys
}

// DefaultMaxLongPolls is how many receives may wait at a time. Each takes about 27 kB with
// its connection.
const DefaultMaxLongPolls = 20_000

// Service carries out every call of every dialect. Its methods may be called from
// any number of goroutines.
type Service struct {
	store    Store
	log      *slog.Logger
	receipts sealer
	queues   *queueCache
	dataKeys *dataKeys
	permits  func(Queue) []Permit
	takes    func(dead Queue, source string) bool // nil: always
	account  string                               // the deployment's own
	audits   *auditBuffer
	keys     *keyring
	flushers map[Durability]*flusher
	standbys standbys
	calls    openCalls
	inFlight inFlightCounts
	answers  answers
	hub      *wake.Hub
	parking  *parking
	floors   floors
	outage   outage

	sessions  *sessionCache
	attempts  *attempts // to sign in
	passwords *passwords

	revocations *revocations
	health      atomic.Pointer[Health] // nil: it has not been looked at

	hearing  atomic.Bool // other replicas are listened to at this moment
	made     time.Time
	heard    atomic.Int64 // when another replica was last heard of, as an age
	notifier *notifier
	redrive  chan struct{} // wakes runRedrives
	check    time.Duration

	auditRetention time.Duration

	waiting  atomic.Int64 // see Waiting
	polls    atomic.Int64 // receives that may wait, and those that are being refused
	maxPolls int64

	listenOnce sync.Once
	listening  chan struct{} // closed once other replicas are listened to

	drainOnce sync.Once
	draining  chan struct{}

	giveUpOnce sync.Once
	givenUp    chan struct{}
}

// New makes a Service on a migrated database. Its calls are answered while Run runs.
func New(ctx context.Context, store Store, opts Options) (*Service, error) {
	key, err := store.ReceiptKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the receipt key: %w", err)
	}
	givenUp := make(chan struct{})
	s := &Service{
		store:    store,
		log:      opts.Logger,
		permits:  opts.Permits,
		takes:    opts.TakesFrom,
		account:  opts.Account,
		audits:   newAuditBuffer(),
		keys:     newKeyring(store, opts),
		dataKeys: newDataKeys(store, opts.MasterKeys),
		made:     time.Now(),
		receipts: newSealer(key),
		calls:    openCalls{keys: map[openCall]bool{}},
		inFlight: inFlightCounts{queues: map[int64]*inFlightCount{}},
		hub:      wake.NewHub(),
		standbys: standbys{store: store, givenUp: givenUp},
		parking:  newParking(),

		revocations: newRevocations(),
		attempts:    newAttempts(),
		passwords:   newPasswords(),

		floors:         floors{queues: map[int64]*queueFloor{}},
		notifier:       newNotifier(),
		redrive:        make(chan struct{}, 1),
		check:          cmp.Or(opts.CheckInterval, checkInterval),
		auditRetention: cmp.Or(opts.AuditRetention, DefaultAuditRetention),

		listening: make(chan struct{}),
		draining:  make(chan struct{}),
		givenUp:   givenUp,
		maxPolls:  int64(cmp.Or(opts.MaxLongPolls, DefaultMaxLongPolls)),
	}
	s.sessions = newSessionCache(store, s.outlast)
	s.queues = newQueueCache(s, opts.Permits)
	s.flushers = s.newFlushers(opts.NoCoalesce)
	if err := s.startKeys(ctx); err != nil {
		return nil, fmt.Errorf("load the keys: %w", err)
	}
	return s, nil
}

// engineOptions are the options of an engine, but for what it flushes by.
func (s *Service) engineOptions(alone bool) engine.Options[*op] {
	opts := engine.Options[*op]{
		Done:         s.settleOps,
		Divide:       divide,
		Weight:       (*op).weight,
		MaxPending:   maxPendingBytes,
		MaxWeight:    maxFlushBytes,
		MaxOps:       maxFlushOps,
		FlushTimeout: flushTimeout,
		Loops:        mergedLoops,
	}
	if alone {
		opts.Alone, opts.Loops = true, aloneLoops
	}
	return opts
}

// Run flushes, wakes, notifies, listens and maintains until ctx ends. What was
// submitted before then is committed and answered.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range s.flushers {
		group.Go(func() error { return f.engine.Run(ctx) })
	}
	group.Go(func() error { return s.runChecks(ctx) })
	group.Go(func() error { return s.runSweeps(ctx) })
	group.Go(func() error { return s.runRevocations(ctx) })
	group.Go(func() error { return s.runNotifier(ctx) })
	group.Go(func() error { return s.runListener(ctx) })
	group.Go(func() error { return s.runPresence(ctx) })
	group.Go(func() error { return s.runRedrives(ctx) })
	group.Go(func() error { return s.runKeys(ctx) })
	group.Go(func() error { return s.runHealth(ctx) })
	group.Go(func() error { return s.runAudits(ctx) })
	group.Go(func() error {
		return maintain.Run(ctx, s.log, []maintain.Job{
			{Name: "delete_expired", Every: faultpoint.Every(maintainEvery), Do: s.store.DeleteExpired},
			{Name: "collect_deleted_queues", Every: faultpoint.Every(maintainEvery), Do: s.store.CollectDeletedQueues},
			{Name: "forget_keys", Every: faultpoint.Every(maintainEvery), Do: s.store.ForgetKeys},
			{Name: "forget_sessions", Every: sweepSessions, Do: s.store.ForgetSessions},
			{Name: "forget_audit", Every: faultpoint.Every(auditForgetEvery), Do: func(ctx context.Context) (int64, error) {
				return s.store.ForgetAudit(ctx, s.auditRetention)
			}},
			{Name: "end_frozen_flushes", Every: faultpoint.Every(maintainEvery), Do: func(ctx context.Context) (int64, error) {
				return s.store.EndFrozenFlushes(ctx, flushTimeout)
			}},
		})
	})
	return group.Wait()
}

// Drain begins the end: Ready fails, open receives are answered with nothing at
// once, and new ones claim nothing. All other calls are served on.
func (s *Service) Drain() { s.drainOnce.Do(func() { close(s.draining) }) }

// GiveUp has calls answered that wait for what they need to know of their queue, or for their flush, of which it is not known
// whether it takes effect: the process is about to end. The flushes go on for as long as Run does.
func (s *Service) GiveUp() { s.giveUpOnce.Do(func() { close(s.givenUp) }) }

// Draining is closed once Drain has been called.
func (s *Service) Draining() <-chan struct{} { return s.draining }

func (s *Service) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// Waiting returns how many receives sleep at this moment, until there may be a message.
func (s *Service) Waiting() int64 { return s.waiting.Load() }

// Ready tells whether calls can be served: nil, or an Error that says why not.
func (s *Service) Ready(ctx context.Context) error {
	if s.isDraining() {
		return Errorf(CodeUnavailable, "This replica is shutting down.")
	}
	return s.store.Ping(ctx)
}

// runListener wakes local waiters for what other replicas notify, if that can be heard.
func (s *Service) runListener(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.store.Listen(ctx, func() { s.resync(ctx) }, s.hear, s.receiveEvent)
		s.hearing.Store(false)
		if ctx.Err() != nil || errors.Is(err, ErrNoSignals) {
			break
		}
		s.log.Warn("listening for other replicas was interrupted; polling meanwhile", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(listenRetry):
		}
	}
	return nil
}

// resync makes up for events that were missed while nobody listened.
func (s *Service) resync(ctx context.Context) {
	s.greet(ctx)
	s.hearing.Store(true)
	s.queues.forgetAll()
	s.floors.forgetAll()
	s.hub.WakeAll()
	s.sessions.forgetAll()
	s.keys.lookSoon()
	s.listenOnce.Do(func() { close(s.listening) })
}

func (s *Service) receiveEvent(e Event) {
	if e.Identity {
		s.sessions.forgetAll()
		s.keys.lookSoon()
		return
	}
	if e.Changed {
		s.queues.forget(e.QueueID)
		s.floors.forget(e.QueueID)
		s.hub.WakeQueue(e.QueueID)
	}
	if e.Visible > 0 && e.After == 0 {
		s.floors.lowerTo(e.QueueID, e.Since)
	}
	s.wakeLocal(e)
}

// announce wakes receivers here and on the other replicas.
func (s *Service) announce(e Event) {
	s.receiveEvent(e)
	s.notifier.add(e)
}

func (s *Service) wakeLocal(e Event) {
	switch {
	case e.Visible == 0:
	case e.After > 0:
		s.hub.Schedule(e.QueueID, e.After)
	default:
		s.hub.Wake(e.QueueID, e.Visible)
	}
}
