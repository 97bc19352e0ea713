package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/internal/faultpoint"
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
// what became visible and how many run.
func (r *Repository) StepRedrives(ctx context.Context) (events []service.Event, running int, err error) {
	rows, _ := r.cold.Query(ctx, `SELECT id FROM redrives WHERE ended_at IS NULL`)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
	if err != nil {
		return nil, 0, r.classify("find redrives", err)
	}
	var failures error
	for _, id := range ids {
		moved, err := r.stepRedrive(ctx, id)
		events = append(events, moved...)
		if err != nil {
			failures = errors.Join(failures, r.classify("redrive "+uuid.UUID(id.Bytes).String(), err))
		}
	}
	return events, len(ids), failures
}

// stepRedrive does what is due of one redrive.
func (r *Repository) stepRedrive(ctx context.Context, id pgtype.UUID) (events []service.Event, err error) {
	for range redriveParts {
		var more bool
		err := pgx.BeginFunc(ctx, r.jobs, func(tx pgx.Tx) error {
			s, err := r.beginStep(ctx, tx, id)
			if err != nil {
				return err
			}
			if more, err = s.run(ctx); err == nil {
				events = append(events, s.events...)
			}
			return err
		})
		err = cmp.Or(err, faultpoint.Hit("repository.redrive.done"))
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
	if err := faultpoint.Hit("repository.redrive.step"); err != nil {
		return false, err
	}
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
	if due <= 0 { // the database's clock may have been set back
		return false, nil
	}
	found, err := s.find(ctx, due)
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		return false, s.end(ctx, service.RedriveCompleted, "")
	}
	known, failure, err := s.address(ctx, found)
	if err != nil {
		return false, err
	}
	if known, err = s.lock(ctx, known); err != nil {
		return false, err
	}
	if err := faultpoint.Hit("repository.redrive.locked"); err != nil {
		return false, err
	}
	if err := s.move(ctx, known); err != nil {
		return false, err
	}
	if err := faultpoint.Hit("repository.redrive.moved"); err != nil {
		return false, err
	}
	if failure != "" {
		return false, s.end(ctx, service.RedriveFailed, failure)
	}
	return s.rate == 0 && len(known) > 0, nil
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

// find finds the oldest messages that were visible when the redrive began and have not
// expired. On a FIFO queue these are the first ones of ready groups, group by group, also
// those that have come back since.
func (s *step) find(ctx context.Context, n int) ([]letter, error) {
	if !s.fifo {
		return s.letters(ctx, `
SELECT id, '', coalesce(dead_letter_source, '')
FROM messages
WHERE queue_id = $1 AND visible_at <= $2 AND sent_at > `+retentionStart+`
ORDER BY id
LIMIT $3`, s.sourceID, s.startedAt, n)
	}
	return s.letters(ctx, `
SELECT m.id, g.group_id, coalesce(m.dead_letter_source, '')
FROM message_groups g
CROSS JOIN LATERAL (
	SELECT id, dead_letter_source, bool_and(visible_at <= tusq_now() AND sent_at <= $2) OVER (ROWS UNBOUNDED PRECEDING) AS open
	FROM (
		SELECT id, dead_letter_source, visible_at, sent_at
		FROM messages
		WHERE queue_id = $1 AND group_id = g.group_id AND seq IS NOT NULL AND sent_at > `+retentionStart+`
		ORDER BY seq
		LIMIT $3
	) AS first
) AS m
WHERE g.queue_id = $1 AND g.ready_at <= tusq_now() AND m.open
LIMIT $3`, s.sourceID, s.startedAt, n)
}

// lock locks what is to be moved and returns what can still be: groups in the order of
// their queues, as flushes do. A target that is gone by now ends the step; the next one
// finds out.
func (s *step) lock(ctx context.Context, letters []letter) ([]letter, error) {
	groups := map[int64][]string{}
	ids := make([]pgtype.UUID, len(letters))
	for i, l := range letters {
		groups[l.target] = append(groups[l.target], l.groupID)
		groups[s.sourceID] = append(groups[s.sourceID], l.groupID)
		ids[i] = l.id
	}
	for _, queue := range slices.Sorted(maps.Keys(groups)) {
		tag, err := s.tx.Exec(ctx, `SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL FOR SHARE`, queue)
		if err != nil || tag.RowsAffected() == 0 {
			return nil, err
		}
		if err := s.lockGroups(ctx, queue, groups[queue]); err != nil {
			return nil, err
		}
	}
	rows, _ := s.tx.Query(ctx, `
SELECT id
FROM messages
WHERE queue_id = $1 AND id = ANY($3) AND visible_at <= CASE WHEN seq IS NULL THEN $2 ELSE tusq_now() END
ORDER BY id
FOR UPDATE`, s.sourceID, s.startedAt, ids)
	locked, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
	if err != nil {
		return nil, err
	}
	return keep(letters, locked), nil
}

func (s *step) lockGroups(ctx context.Context, queueID int64, groups []string) error {
	if !s.fifo || len(groups) == 0 {
		return nil
	}
	lock := lockOf(groups, noDelay)
	_, err := s.tx.Exec(ctx, lockGroupsSQL, queueID, lock.groups, lock.after)
	return err
}

// refreshGroups refreshes the groups of letters in a queue, where they are locked.
func (s *step) refreshGroups(ctx context.Context, queueID int64, letters []letter) error {
	if !s.fifo {
		return nil
	}
	groups := make([]string, len(letters))
	for i, l := range letters {
		groups[i] = l.groupID
	}
	_, err := s.tx.Exec(ctx, refreshGroupsSQL, queueID, lockOf(groups, noDelay).groups)
	return err
}

// keep returns the letters that were locked, but none after one of its group that was not.
func keep(letters []letter, locked []pgtype.UUID) []letter {
	there := make(map[pgtype.UUID]bool, len(locked))
	for _, id := range locked {
		there[id] = true
	}
	broken := map[string]bool{}
	return slices.DeleteFunc(letters, func(l letter) bool {
		if !there[l.id] && l.groupID != "" {
			broken[l.groupID] = true
		}
		return !there[l.id] || broken[l.groupID]
	})
}

func (s *step) letters(ctx context.Context, sql string, params ...any) ([]letter, error) {
	rows, _ := s.tx.Query(ctx, sql, params...)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l letter, err error) {
		err = row.Scan(&l.id, &l.groupID, &l.source)
		return l, err
	})
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
	for _, target := range slices.Sorted(maps.Keys(byTarget)) {
		if err := s.moveTo(ctx, target, byTarget[target]); err != nil {
			return fmt.Errorf("move to queue %d: %w", target, err)
		}
		if err := s.refreshGroups(ctx, target, byTarget[target]); err != nil {
			return err
		}
		s.events = append(s.events, service.Event{QueueID: target, Visible: len(byTarget[target])})
	}
	if err := s.refreshGroups(ctx, s.sourceID, letters); err != nil {
		return err
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

// moveSQL moves messages with new ids, and with sequence numbers of groups that are locked.
const moveSQL = `
WITH found AS MATERIALIZED (
	SELECT m.ctid, m.queue_id, t.fresh, t.nth
	FROM unnest($4::uuid[], $5::uuid[]) WITH ORDINALITY AS t (id, fresh, nth)
	CROSS JOIN LATERAL (
		SELECT ctid, queue_id
		FROM messages
		WHERE queue_id = $1 AND id BETWEEN t.id AND t.id
		ORDER BY id
		LIMIT 1
	) AS m
), dead AS (
	DELETE FROM messages m
	USING found f
	WHERE m.ctid = f.ctid AND m.queue_id = f.queue_id
	RETURNING m.*, f.fresh, f.nth
), moved AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header, seq, deduplication_id)
	SELECT $2, d.fresh, tusq_now(), tusq_now(), d.body, d.attributes, d.group_id, d.trace_header,
		g.last_seq - ` + seqStride + ` + d.nth, d.deduplication_id
	FROM dead d
	LEFT JOIN LATERAL (
		SELECT last_seq
		FROM message_groups
		WHERE d.seq IS NOT NULL AND queue_id = $2 AND group_id BETWEEN d.group_id AND d.group_id
		ORDER BY group_id
		LIMIT 1
	) AS g ON true
	RETURNING id
), counted AS (` + countMoved + `
)
SELECT count(*) FROM moved`

// moveTo moves letters to one queue, whose groups are locked. In a FIFO queue they come
// after what is there, in their order.
func (s *step) moveTo(ctx context.Context, target int64, letters []letter) error {
	ids, fresh := make([]pgtype.UUID, len(letters)), make([]pgtype.UUID, len(letters))
	for i, l := range letters {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		ids[i], fresh[i] = l.id, pgtype.UUID{Bytes: id, Valid: true}
	}
	_, err := s.tx.Exec(ctx, faultpoint.SQL(moveSQL), s.sourceID, target, s.lane+jobLanes, ids, fresh)
	return err
}
