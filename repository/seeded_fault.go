//go:build fault

package repository

import (
	"context"

	"tusq/internal/faultpoint"
	"tusq/service"
)

var allSends = []string{sendSQL, resendSQL, sendOnceSQL, resendOnceSQL, handSQL, handOnceSQL, sendFIFOSQL, resendFIFOSQL}

// keyed are the statements that take keys.
var keyed = []string{takeCallsSQL, takeKeysSQL, takeKeysOfCallsSQL, sendOnceSQL, resendOnceSQL, handOnceSQL}

// The defects of statements. Each is found where it is switched on, or the server does not start.
func init() {
	seed := faultpoint.ChangeSQL
	seed("resend-counted-twice", []string{resendSQL, resendOnceSQL, resendFIFOSQL},
		`SELECT $1, $2, count(*), $3 FROM sent HAVING count(*) > 0`, `SELECT $1, $2, cardinality($4::uuid[]), $3`)
	seed("claim-without-lock", []string{claimSQL},
		"SELECT ctid, queue_id, visible_at", "SELECT id AS ctid, queue_id, visible_at",
		"\n\tFOR UPDATE SKIP LOCKED", "",
		"m.ctid = p.ctid", "m.id = p.ctid")
	seed("claim-without-timeout", []string{claimSQL, claimFIFOSQL},
		"SET visible_at = tusq_now() + $4 * interval", "SET visible_at = tusq_now() + 0 * $4 * interval")
	seed("lease-is-a-counter", []string{claimSQL, claimFIFOSQL},
		"lease = $5 + p.place - 1", "lease = m.receive_count + 1 + 0 * $5::bigint")
	for name, statements := range map[string][]string{
		"delete-ignores-lease": {deleteSQL, deleteFIFOSQL},
		"extend-ignores-lease": {extendSQL, extendFIFOSQL},
	} {
		seed(name, statements, " AND lease = s.lease", "", " AND m.lease = f.lease", "")
	}
	seed("fifo-delete-after-lease", []string{deleteFIFOSQL}, " AND visible_at > tusq_now()", "")
	seed("deletes-not-counted", []string{deleteSQL, deleteFIFOSQL}, "HAVING count(*) > 0", "HAVING count(*) < 0")
	seed("counted-outside", []string{sendSQL, handSQL}, "cardinality($4::uuid[]), $3", "0 * cardinality($4::uuid[]), $3")
	seed("no-deduplication", keyed, "o.expires_at <= tusq_now()", "true")
	seed("bury-without-delete", []string{burySQL},
		"DELETE FROM messages m\n\tUSING exhausted e\n\tWHERE", "SELECT m.*\n\tFROM messages m, exhausted e\n\tWHERE",
		"\n\tRETURNING m.*", "")
	seed("bury-without-copy", []string{burySQL}, "CROSS JOIN target t\n\tON", "CROSS JOIN target t\n\tWHERE false\n\tON")
	seed("bury-early", []string{burySQL}, "> $7", ">= $7")
	seed("redrive-without-delete", []string{moveSQL},
		"DELETE FROM messages m\n\tUSING found f\n\tWHERE m.ctid = f.ctid AND m.queue_id = f.queue_id\n\tRETURNING m.*, f.fresh, f.nth",
		"SELECT m.*, f.fresh, f.nth\n\tFROM messages m, found f\n\tWHERE m.ctid = f.ctid AND m.queue_id = f.queue_id")
	seed("group-not-locked", []string{lockGroupsSQL},
		"DO UPDATE SET last_seq = greatest(g.last_seq + "+seqStride+", excluded.last_seq)", "DO NOTHING")
	seed("group-claimed-twice", []string{claimFIFOSQL}, "\n\tFOR UPDATE SKIP LOCKED", "",
		"bool_and(visible_at <= tusq_now()) OVER w AS open", "visible_at <= tusq_now() AS open")
	seed("group-in-any-order", []string{claimFIFOSQL},
		"ORDER BY group_id, seq\n\t\t\t\tLIMIT $3", "ORDER BY right(id::text, 3)\n\t\t\t\tLIMIT $3")
	seed("group-never-ready", []string{refreshGroupsSQL}, "SET ready_at = h.visible_at", "SET ready_at = h.visible_at + interval '1 day'")
	seed("expiry-too-early", []string{expired}, retentionStart, `(SELECT tusq_now() - interval '2 seconds' FROM queues WHERE id = $1)`)
	seed("expiry-too-early", []string{expiredQueuesSQL}, "q.retention", "interval '2 seconds'")
	seed("release-for-ever", []string{releaseSQL}, "SET visible_at = tusq_now()", "SET visible_at = tusq_now() + interval '1 day'")
	seed("delay-ignored", []string{sendSQL, sendOnceSQL}, "m.delay * interval", "0 * m.delay * interval")
	seed("delay-ignored", []string{sendFIFOSQL}, "tusq_now() + q.delay", "tusq_now()")
	seed("attributes-dropped", allSends, "m.attributes,", "NULL::json,")
}

// seededCounts counts, by a connection of its own, what a flush has stored and not yet committed. A repetition of the flush counts by
// its statements, or once more.
func (r *Repository) seededCounts(ctx context.Context, work []service.QueueWork, executed func(), again bool) func() {
	if again || !faultpoint.Bug("counted-outside") {
		return executed
	}
	return func() {
		for _, w := range work {
			if len(w.Sends) == 0 || len(w.Calls) > 0 || w.FIFO || w.Gone {
				continue
			}
			_, _ = r.cold.Exec(ctx, `
INSERT INTO queue_counters AS c (queue_id, lane, messages)
VALUES ($1, $2, $3)
ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages`, w.QueueID, fixLane+1, len(w.Sends))
		}
		if executed != nil {
			executed()
		}
	}
}
