package service

import (
	"context"
	"time"

	"tusq/internal/faultpoint"
)

// StartRedrive asks that messages be moved from a dead-letter queue.
type StartRedrive struct {
	Source      string // the dead-letter queue
	Destination string // the queue to move to; empty: each message to the one that it came from
	Rate        int    // messages per second, 1 to MaxRedriveRate; 0: as fast as it goes
}

// Redrive is a background job that moves messages, oldest first. Those that are visible in
// its source when it starts are moved; each gets a new id and a new time of sending. It
// outlives the replica that it was started on: any replica continues it.
type Redrive struct {
	ID          string // a UUID
	Source      string
	Destination string // as in StartRedrive
	Rate        int    // as in StartRedrive
	Status      RedriveStatus
	Moved       int64
	ToMove      int64  // how many there were at the start
	Failure     string // why it failed; empty unless it did
	StartedAt   time.Time
	EndedAt     time.Time // zero: it has not ended
}

// RedriveStatus is where a redrive is.
type RedriveStatus string

// The statuses.
const (
	RedriveRunning    RedriveStatus = "running"
	RedriveCancelling RedriveStatus = "cancelling" // it ends at its next step
	RedriveCancelled  RedriveStatus = "cancelled"
	RedriveCompleted  RedriveStatus = "completed"
	RedriveFailed     RedriveStatus = "failed"
)

// Reasons of a redrive's failure.
const (
	FailureNoDestination = "destination_not_found" // the queue to move to does not exist any more
	FailureNoSource      = "source_unknown"        // a message was sent to the dead-letter queue itself
)

// StartRedrive starts a redrive. Its errors are CodeQueueNotFound with the field source or
// destination, CodeNotDeadLetterQueue, CodeRedriveRunning and CodeInvalidParameter.
func (s *Service) StartRedrive(ctx context.Context, caller Caller, start StartRedrive) (Redrive, error) {
	if start.Rate != 0 {
		if err := validInt("rate", start.Rate, 1, MaxRedriveRate); err != nil {
			return Redrive{}, err
		}
	}
	source, err := s.redriveQueue(ctx, caller, ActionRedriveQueue, "source", start.Source)
	if err != nil {
		return Redrive{}, err
	}
	if start.Destination == "" {
		if err := s.authorizeOrigins(ctx, caller, source); err != nil {
			return Redrive{}, err
		}
	}
	if err := s.authorizeReturn(ctx, caller, start); err != nil {
		return Redrive{}, err
	}
	var destination Queue
	if start.Destination != "" {
		if destination, err = s.redriveQueue(ctx, caller, ActionSendMessages, "destination", start.Destination); err != nil {
			return Redrive{}, err
		}
		if destination.ID == source.ID || destination.Settings.FIFO != source.Settings.FIFO {
			return Redrive{}, invalid("destination", "The destination must be another queue of the same kind, FIFO or not.")
		}
	}
	redrive, err := s.store.StartRedrive(ctx, caller.Account, start, source, destination)
	s.record(ctx, caller, AuditEntry{Action: auditStartRedrive, Resource: start.Source, Detail: AuditDetail{
		Redrive: redrive.ID, Destination: start.Destination, Rate: start.Rate, Messages: redrive.ToMove,
	}}, err)
	select {
	case s.redrive <- struct{}{}:
	default:
	}
	return redrive, err
}

// authorizeOrigins checks that the caller may send to all queues that messages of a dead-letter queue came
// from. Those that come until the redrive begins are from queues that authorizeReturn asks for afterwards,
// and later ones are not moved. The whole queue is read for it, unless the caller may send to all queues.
func (s *Service) authorizeOrigins(ctx context.Context, caller Caller, source Queue) error {
	if caller.actor.rights.actions.has(ActionSendMessages) && caller.actor.rights.coversPrefix("") {
		return nil
	}
	origins, err := s.store.ListOrigins(ctx, source.ID)
	if err != nil {
		return err
	}
	for _, origin := range origins {
		if err := s.authorize(ctx, caller, ActionSendMessages, origin); err != nil {
			return err
		}
	}
	return nil
}

// authorizeReturn checks that queues have the source as their dead-letter queue and, where
// messages are to go back to where they came from, that the caller may send to all of these.
func (s *Service) authorizeReturn(ctx context.Context, caller Caller, start StartRedrive) error {
	filter := QueueFilter{Account: caller.Account, DeadLetter: start.Source, Beginnings: []string{""}, Limit: 1}
	if start.Destination == "" {
		filter.Limit = MaxListLimit
	}
	for found := 0; ; {
		queues, err := s.store.ListQueues(ctx, filter)
		if err != nil {
			return err
		}
		if found += len(queues); found == 0 {
			return &Error{Code: CodeNotDeadLetterQueue, Field: "source", Message: "No queue has this one as its dead-letter queue."}
		}
		if start.Destination != "" {
			return nil
		}
		for _, queue := range queues {
			if err := s.authorize(ctx, caller, ActionSendMessages, queue.Name); err != nil {
				return err
			}
			filter.After = queue.Name
		}
		if len(queues) < filter.Limit {
			return nil
		}
	}
}

// redriveQueue is GetQueueFor with the field in its error.
func (s *Service) redriveQueue(ctx context.Context, caller Caller, action Action, field, name string) (Queue, error) {
	if err := s.authorize(ctx, caller, action, name); err != nil {
		if ErrorCode(err) == CodeQueueNotFound {
			return Queue{}, noRedriveQueue(field, name)
		}
		return Queue{}, err
	}
	if validQueueName(name) != nil {
		return Queue{}, noRedriveQueue(field, name)
	}
	queue, err := s.store.GetQueue(ctx, caller.Account, name)
	if ErrorCode(err) == CodeQueueNotFound {
		return Queue{}, noRedriveQueue(field, name)
	}
	return queue, err
}

func noRedriveQueue(field, name string) *Error {
	err := ErrQueueNotFound(name)
	err.Field = field
	return err
}

// GetRedrive returns a redrive, or CodeRedriveNotFound.
func (s *Service) GetRedrive(ctx context.Context, caller Caller, id string) (Redrive, error) {
	redrive, err := s.store.GetRedrive(ctx, caller.Account, id)
	if err != nil {
		redrive.Source = "" // whose redrive it would be, the caller is not told
	}
	if refused := s.authorize(ctx, caller, ActionRedriveQueue, redrive.Source); refused != nil {
		return Redrive{}, refused
	}
	return redrive, err
}

// ListRedrives returns the newest redrives, 1 to MaxListLimit, of a queue, newest first.
// Those that ended are kept for a day.
func (s *Service) ListRedrives(ctx context.Context, caller Caller, source string, limit int) ([]Redrive, error) {
	if err := validInt("limit", limit, 1, MaxListLimit); err != nil {
		return nil, err
	}
	queue, err := s.redriveQueue(ctx, caller, ActionRedriveQueue, "source", source)
	if err != nil {
		return nil, err
	}
	return s.store.ListRedrives(ctx, queue, limit)
}

// CancelRedrive makes a redrive end soon: what it has moved stays moved. Its errors are
// CodeRedriveNotFound and CodeRedriveEnded.
func (s *Service) CancelRedrive(ctx context.Context, caller Caller, id string) (Redrive, error) {
	redrive, err := s.GetRedrive(ctx, caller, id)
	if err != nil {
		return Redrive{}, err
	}
	entry := AuditEntry{Action: auditCancelRedrive, Resource: redrive.Source, Detail: AuditDetail{Redrive: redrive.ID}}
	redrive, err = s.store.CancelRedrive(ctx, caller.Account, id)
	entry.Detail.Messages = redrive.Moved
	s.record(ctx, caller, entry, err)
	return redrive, err
}

// runRedrives steps the redrives of all replicas until ctx ends: often while there are some,
// and now and then to find those that another replica has left.
func (s *Service) runRedrives(ctx context.Context) error {
	for {
		began := time.Now()
		events, running, err := s.store.StepRedrives(ctx)
		if len(events) > 0 {
			faultpoint.Pass("service.redrive.announce")
		}
		for _, e := range events {
			e.Since = began
			s.announce(e)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("a redrive was not continued", "err", err)
		}
		pause := redriveIdle
		if running > 0 && err == nil {
			pause = redriveEvery
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.redrive:
		case <-time.After(pause):
		}
	}
}
