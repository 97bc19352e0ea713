package repository

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// deleteSQL ends leases that still hold. It reads by the primary key, in the order of
// the ids, and waits only for another settlement or a claim of the same message.
const deleteSQL = `
WITH deleted AS (
	DELETE FROM messages m
	USING unnest($3::uuid[], $4::bigint[]) AS s (id, lease)
	WHERE m.queue_id = $1 AND m.id = s.id AND m.lease = s.lease
	RETURNING m.id, m.lease
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages)
	SELECT $1, $2, -count(*) FROM deleted HAVING count(*) > 0
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages
)
SELECT id, lease FROM deleted`

// extendSQL sets when leases end that still hold, but not more than 12 hours after the
// receive; a lease that ended and was not given anew still holds. It reads by the primary key.
const extendSQL = `
UPDATE messages m
SET visible_at = CASE
	WHEN now() + s.timeout * interval '1 microsecond' <= m.received_at + interval '12 hours' + interval '1 second'
	THEN now() + s.timeout * interval '1 microsecond'
	ELSE m.visible_at
	END
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS s (id, lease, timeout)
WHERE m.queue_id = $1 AND m.id = s.id AND m.lease = s.lease
RETURNING m.id, m.lease, now() + s.timeout * interval '1 microsecond' > m.received_at + interval '12 hours' + interval '1 second'`

// releaseSQL undoes claims: the messages are visible now, as if they had not been
// received. It reads by the primary key.
const releaseSQL = `
UPDATE messages m
SET visible_at = now(),
	lease = NULL,
	receive_count = m.receive_count - 1,
	returned = m.receive_count > 1,
	first_received_at = CASE WHEN m.receive_count > 1 THEN m.first_received_at END
FROM unnest($2::uuid[], $3::bigint[]) AS s (id, lease)
WHERE m.queue_id = $1 AND m.id = s.id AND m.lease = s.lease
RETURNING s.id, s.lease`

// lease is what a settlement names.
type lease struct {
	id    service.MessageID
	lease int64
}

func queueDeletes(batch *pgx.Batch, w *service.QueueWork, lane int) {
	ids, leases, index := settlementArrays(w.Deletes)
	batch.Queue(deleteSQL, w.QueueID, lane, ids, leases).Query(index.read)
}

func queueReleases(batch *pgx.Batch, w *service.QueueWork) {
	ids, leases, index := settlementArrays(w.Releases)
	batch.Queue(releaseSQL, w.QueueID, ids, leases).Query(index.read)
}

// queueExtends extends each lease once: of several extends in one flush the last counts.
func queueExtends(batch *pgx.Batch, w *service.QueueWork) {
	ids, leases, index := settlementArrays(w.Extends)
	timeouts := make([]int64, len(ids))
	for i := range ids {
		same := index[lease{ids[i].Bytes, leases[i]}]
		timeouts[i] = same[len(same)-1].Timeout.Microseconds()
	}
	batch.Queue(extendSQL, w.QueueID, ids, leases, timeouts).Query(index.readExtended)
}

// settlementIndex finds the settlements of a lease; several calls may have named it.
type settlementIndex map[lease][]*service.Settlement

// settlementArrays are the parameters of a statement, each lease once.
func settlementArrays(settlements []*service.Settlement) ([]pgtype.UUID, []int64, settlementIndex) {
	ids := make([]pgtype.UUID, 0, len(settlements))
	leases := make([]int64, 0, len(settlements))
	index := make(settlementIndex, len(settlements))
	for _, s := range settlements {
		key := lease{s.ID, s.Lease}
		if index[key] == nil {
			ids = append(ids, pgUUID(s.ID))
			leases = append(leases, s.Lease)
		}
		index[key] = append(index[key], s)
	}
	return ids, leases, index
}

// read marks the settlements whose lease held.
func (index settlementIndex) read(rows pgx.Rows) error {
	var id pgtype.UUID
	var nonce int64
	_, err := pgx.ForEachRow(rows, []any{&id, &nonce}, func() error {
		for _, s := range index[lease{id.Bytes, nonce}] {
			s.Done = true
		}
		return nil
	})
	return err
}

// readExtended is read for extends, which may have asked for too much.
func (index settlementIndex) readExtended(rows pgx.Rows) error {
	var id pgtype.UUID
	var nonce int64
	var tooLong bool
	_, err := pgx.ForEachRow(rows, []any{&id, &nonce, &tooLong}, func() error {
		for _, s := range index[lease{id.Bytes, nonce}] {
			s.Done, s.TooLong = !tooLong, tooLong
		}
		return nil
	})
	return err
}

// MissingMessages returns those of the ids that are no longer in the queue.
func (r *Repository) MissingMessages(ctx context.Context, queueID int64, ids []service.MessageID) (map[service.MessageID]bool, error) {
	params := make([]pgtype.UUID, len(ids))
	for i, id := range ids {
		params[i] = pgUUID(id)
	}
	rows, _ := r.cold.Query(ctx, `
SELECT s.id
FROM unnest($2::uuid[]) AS s (id)
WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.queue_id = $1 AND m.id = s.id)`, queueID, params)
	missing := map[service.MessageID]bool{}
	var id pgtype.UUID
	_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
		missing[id.Bytes] = true
		return nil
	})
	if err != nil {
		return nil, r.classify("find messages", err)
	}
	return missing, nil
}
