//go:build fault

package repository

import "tusq/internal/faultpoint"

var allSends = []string{sendSQL, resendSQL, sendOnceSQL, resendOnceSQL, handSQL, handOnceSQL, sendFIFOSQL, resendFIFOSQL}

// keyed are the statements that take keys.
var keyed = []string{takeCallsSQL, takeKeysSQL, sendOnceSQL, resendOnceSQL, handOnceSQL}

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
	seed("delay-ignored", []string{sendSQL, sendOnceSQL, sendFIFOSQL}, "m.delay * interval", "0 * m.delay * interval")
	seed("attributes-dropped", allSends, "m.attributes,", "NULL::json,")
}
