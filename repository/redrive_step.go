package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// Bounds of one step of a redrive, which is one transaction.
const (
	redrivePart  = 1000 // messages; less than a flush may send, see seqStride
	redriveParts = 5    // of a redrive without a rate, at a time
)

// step is a redrive's transaction: its row is locked, so that one replica moves at a time.
type step struct {
	*Repository
	tx            pgx.Tx
	id            pgtype.UUID
	account       string
	sourceID      int64
	fifo          bool
	destinationID *int64
	rate          int
	cancelling    bool
	startedAt     time.Time
	elapsed       time.Duration // since the last step
	live          bool          // its queues exist
	events        []service.Event
}

// StepRedrives moves a bounded number of messages of the redrives that run, and returns
// what became visible.
func (r *Repository) StepRedrives(ctx context.Context) ([]service.Event, error) {
	rows, _ := r.cold.Query(ctx, `SELECT id FROM redrives WHERE ended_at IS NULL`)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
	if err != nil {
		return nil, r.classify("find redrives", err)
	}
	var events []service.Event
	var failures error
	for _, id := range ids {
		moved, err := r.stepRedrive(ctx, id)
		events = append(events, moved...)
		if err != nil {
			failures = errors.Join(failures, r.classify("redrive "+uuid.UUID(id.Bytes).String(), err))
		}
	}
	return events, failures
}

// stepRedrive does what is due of one redrive.
func (r *Repository) stepRedrive(ctx context.Context, id pgtype.UUID) (events []service.Event, err error) {
	for range redriveParts {
		var more bool
		err := pgx.BeginFunc(ctx, r.cold, func(tx pgx.Tx) error {
			s, err := r.beginStep(ctx, tx, id)
			if err != nil {
				return err
			}
			if more, err = s.run(ctx); err == nil {
				events = append(events, s.events...)
			}
			return err
		})
		if errors.Is(err, pgx.ErrNoRows) { // it has ended, or another replica is moving
			return events, nil
		}
		if err != nil || !more {
			return events, err
		}
	}
	return events, nil
}

func (r *Repository) beginStep(ctx context.Context, tx pgx.Tx, id pgtype.UUID) (*step, error) {
	s := &step{Repository: r, tx: tx, id: id}
	err := tx.QueryRow(ctx, `
SELECT r.account, r.source_id, coalesce(q.fifo, false), r.destination_id, r.rate, r.status = 'cancelling', r.started_at,
	least(tusq_now() - r.stepped_at, interval '1 second'),
	q.id IS NOT NULL AND (r.destination_id IS NULL OR d.id IS NOT NULL)
FROM redrives r
LEFT JOIN queues q ON q.id = r.source_id AND q.deleted_at IS NULL
LEFT JOIN queues d ON d.id = r.destination_id AND d.deleted_at IS NULL
WHERE r.id = $1 AND r.ended_at IS NULL
FOR UPDATE OF r SKIP LOCKED`, id).
		Scan(&s.account, &s.sourceID, &s.fifo, &s.destinationID, &s.rate, &s.cancelling, &s.startedAt, &s.elapsed, &s.live)
	return s, err
}

// run moves what is due; more: there is more that could be moved at once.
func (s *step) run(ctx context.Context) (more bool, err error) {
	switch {
	case s.cancelling:
		return false, s.end(ctx, service.RedriveCancelled, "")
	case !s.live:
		return false, s.end(ctx, service.RedriveFailed, service.FailureNoDestination)
	}
	due := redrivePart
	if s.rate > 0 {
		due = int(s.elapsed.Seconds() * float64(s.rate))
	}
	if due == 0 {
		return false, nil
	}
	dead, err := s.pick(ctx, due)
	if err != nil {
		return false, err
	}
	if len(dead) == 0 {
		return false, s.end(ctx, service.RedriveCompleted, "")
	}
	known, failure, err := s.address(ctx, dead)
	if err != nil {
		return false, err
	}
	if err := s.move(ctx, known); err != nil {
		return false, err
	}
	if failure != "" {
		return false, s.end(ctx, service.RedriveFailed, failure)
	}
	return s.rate == 0, nil
}

func (s *step) end(ctx context.Context, status service.RedriveStatus, failure string) error {
	_, err := s.tx.Exec(ctx, `UPDATE redrives SET status = $2, failure = $3, ended_at = tusq_now() WHERE id = $1`, s.id, status, failure)
	return err
}

// letter is a message to move.
type letter struct {
	id      pgtype.UUID
	groupID string // of a FIFO queue's message
	source  string // the name of the queue that it came from
	target  int64  // the queue that it goes to
}

// pick locks the oldest messages that were visible when the redrive began. On a FIFO queue
// these are the groups' first ones, group by group, and the groups are locked before.
func (s *step) pick(ctx context.Context, n int) ([]letter, error) {
	if !s.fifo {
		return s.letters(ctx, `
SELECT id, '', coalesce(dead_letter_source, '')
FROM messages
WHERE queue_id = $1 AND visible_at <= $2
ORDER BY id
LIMIT $3
FOR UPDATE`, s.sourceID, s.startedAt, n)
	}
	first, err := s.letters(ctx, firstLetters+`
LIMIT $3`, s.sourceID, s.startedAt, n)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	groups, back := workGroups(&service.QueueWork{Sends: outgoingTo(first)})
	if _, err := s.tx.Exec(ctx, lockGroupsSQL, s.sourceID, groups, back); err != nil {
		return nil, err
	}
	return s.letters(ctx, firstLetters+` AND m.group_id = ANY($4)
ORDER BY m.group_id, m.seq
LIMIT $3
FOR UPDATE`, s.sourceID, s.startedAt, n, groups)
}

// firstLetters are messages before which none of their group is invisible.
const firstLetters = `
SELECT m.id, m.group_id, coalesce(m.dead_letter_source, '')
FROM messages m
WHERE m.queue_id = $1 AND m.seq IS NOT NULL AND m.visible_at <= $2 AND NOT EXISTS (
	SELECT 1
	FROM messages b
	WHERE b.queue_id = $1 AND b.group_id = m.group_id AND b.seq < m.seq AND b.visible_at > $2
)`

func (s *step) letters(ctx context.Context, sql string, params ...any) ([]letter, error) {
	rows, _ := s.tx.Query(ctx, sql, params...)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l letter, err error) {
		err = row.Scan(&l.id, &l.groupID, &l.source)
		return l, err
	})
}

// outgoingTo makes of letters what workGroups needs to know of them.
func outgoingTo(letters []letter) []*service.Outgoing {
	sends := make([]*service.Outgoing, len(letters))
	for i, l := range letters {
		sends[i] = &service.Outgoing{GroupID: l.groupID}
	}
	return sends
}

// address finds where letters go, and returns those before the first that goes nowhere,
// with the reason why that one does.
func (s *step) address(ctx context.Context, letters []letter) (known []letter, failure string, err error) {
	targets := map[string]int64{}
	for i := range letters {
		l := &letters[i]
		switch {
		case s.destinationID != nil:
			l.target = *s.destinationID
			continue
		case l.source == "":
			return letters[:i], service.FailureNoSource, nil
		}
		target, asked := targets[l.source]
		if !asked {
			queue, err := getQueue(ctx, s.tx, s.account, l.source)
			if err != nil && !errors.Is(err, errQueueGone) {
				return nil, "", err
			}
			target, targets[l.source] = queue.ID, queue.ID
		}
		if target == 0 {
			return letters[:i], service.FailureNoDestination, nil
		}
		l.target = target
	}
	return letters, "", nil
}

// move moves letters that are locked: each gets a new id and a new time of sending.
func (s *step) move(ctx context.Context, letters []letter) error {
	if len(letters) == 0 {
		return nil
	}
	byTarget := map[int64][]letter{}
	for _, l := range letters {
		byTarget[l.target] = append(byTarget[l.target], l)
	}
	for target, part := range byTarget {
		if err := s.moveTo(ctx, target, part); err != nil {
			return fmt.Errorf("move to queue %d: %w", target, err)
		}
		s.events = append(s.events, service.Event{QueueID: target, Visible: len(part)})
	}
	if s.fifo {
		groups, _ := workGroups(&service.QueueWork{Sends: outgoingTo(letters)})
		if _, err := s.tx.Exec(ctx, refreshGroupsSQL, s.sourceID, groups); err != nil {
			return err
		}
	}
	_, err := s.tx.Exec(ctx, `
UPDATE redrives
SET moved = moved + $2, stepped_at = CASE
	WHEN rate = 0 OR tusq_now() - stepped_at > interval '1 second' THEN tusq_now()
	ELSE stepped_at + $2 * interval '1 second' / rate
	END
WHERE id = $1`, s.id, len(letters))
	return err
}

// moveTo moves letters to one queue. In a FIFO queue they come after what is there, in
// their order, and their own ids deduplicate them.
func (s *step) moveTo(ctx context.Context, target int64, letters []letter) error {
	if s.fifo {
		groups, back := workGroups(&service.QueueWork{Sends: outgoingTo(letters)})
		if _, err := s.tx.Exec(ctx, lockGroupsSQL, target, groups, back); err != nil {
			return err
		}
	}
	ids, fresh := make([]pgtype.UUID, len(letters)), make([]pgtype.UUID, len(letters))
	for i, l := range letters {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		ids[i], fresh[i] = l.id, pgtype.UUID{Bytes: id, Valid: true}
	}
	_, err := s.tx.Exec(ctx, `
WITH dead AS (
	DELETE FROM messages m
	USING unnest($4::uuid[], $5::uuid[]) WITH ORDINALITY AS t (id, fresh, nth)
	WHERE m.queue_id = $1 AND m.id = t.id
	RETURNING m.*, t.fresh, t.nth
), moved AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header, seq, deduplication_id)
	SELECT $2, d.fresh, tusq_now(), tusq_now(), d.body, d.attributes, d.group_id, d.trace_header,
		g.last_seq - `+seqStride+` + d.nth, d.deduplication_id
	FROM dead d
	LEFT JOIN message_groups g ON d.seq IS NOT NULL AND g.queue_id = $2 AND g.group_id = d.group_id
	ORDER BY d.nth
	RETURNING id
), counted AS (`+countMoved+`
)
SELECT count(*) FROM moved`, s.sourceID, target, s.lane+counterLanes, ids, fresh)
	return err
}
