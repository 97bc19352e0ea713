package repository

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/service"
)

// claimParams are the parameters of claimSQL.
func (s *store) claimParams(n int) []any {
	return []any{s.queue.ID, n, n / 2, time.Minute.Microseconds(), int64(1), time.Hour.Microseconds(), maxClaimBytes,
		"'-infinity'", "'-infinity'"}
}

// hotStatement is a statement of the flushes, and how it must find messages: each index
// that it may read with what its condition must name.
type hotStatement struct {
	sql     string
	args    []any
	indexes map[string]string
	sorts   bool
}

func (s *store) hotStatements(ids []service.MessageID) map[string]hotStatement {
	leases, n := make([]int64, len(ids)), len(ids)
	bodies, ones := slices.Repeat([]string{"body"}, n), slices.Repeat([]int64{1}, n)
	fifo := s.create("plans.fifo").ID
	groups := map[string]string{"messages_fifo": "(group_id <= ", "message_groups_pkey": "(group_id <= ", "message_groups_ready": "turn = ", "once_keys_pkey": "(key <= "}
	claims, byID := map[string]string{"messages_claim": "visible_at"}, map[string]string{"messages_pkey": "(id <= s.id)"}
	return map[string]hotStatement{
		"send":               {sql: sendSQL, args: []any{s.queue.ID, 0, 1, ids, leases, bodies, "NULL", "NULL", "NULL"}, indexes: byID},
		"claim":              {sql: claimSQL, args: s.claimParams(10), indexes: claims},
		"look":               {sql: lookSQL, args: []any{s.queue.ID}, indexes: claims},
		"delete":             {sql: deleteSQL, args: []any{s.queue.ID, 0, ids, leases}, indexes: byID},
		"extend":             {sql: extendSQL, args: []any{s.queue.ID, ids, leases, leases}, indexes: byID},
		"lock":               {sql: lockSQL, args: []any{s.queue.ID, ids, leases}, indexes: byID},
		"release":            {sql: releaseSQL, args: []any{s.queue.ID, ids, leases, "NULL"}, indexes: byID},
		"bury":               {sql: burySQL, args: []any{s.queue.ID, s.queue.ID, 0, 0, 1, 10, 5}, indexes: claims, sorts: true}, // two counters
		"send once":          {sql: sendOnceSQL, args: []any{s.queue.ID, 0, 1, ids, leases, bodies, "NULL", "NULL", "NULL", ids, ids, ids, ids}, indexes: groups},
		"hand":               {sql: handSQL, args: []any{s.queue.ID, 0, 1, ids, leases, bodies, "NULL", "NULL", "NULL", leases}, indexes: byID},
		"hand once":          {sql: handOnceSQL, args: []any{s.queue.ID, 0, 1, ids, leases, bodies, "NULL", "NULL", "NULL", ids, ids, ids, ids, leases}, indexes: groups},
		"check":              {sql: checkSQL, args: []any{[]int64{fifo}, []string{"-infinity"}, []string{"-infinity"}}, indexes: map[string]string{"messages_claim": "visible_at >= ", "message_groups_ready": "(turn <= "}},
		"sweep":              {sql: sweepSQL, args: []any{[]int64{fifo}, []string{"-infinity"}, []string{"-infinity"}}, indexes: map[string]string{"messages_claim": "visible_at < "}},
		"take calls":         {sql: takeCallsSQL, args: []any{s.queue.ID, ids, ids, ids}},
		"held":               {sql: heldSQL, args: []any{fifo, ids}, indexes: groups},
		"lock groups":        {sql: lockGroupsSQL, args: []any{fifo, []string{"body"}, []int64{0}}},
		"take keys":          {sql: takeKeysSQL, args: []any{fifo, ids, ids, bodies, ones, ids, ids}, indexes: groups},
		"take keys of calls": {sql: takeKeysOfCallsSQL, args: []any{fifo, ids, ids, bodies, ones, ids, ids}, indexes: groups, sorts: true},
		"send FIFO":          {sql: sendFIFOSQL, args: []any{fifo, 0, 1, ids, leases, bodies, "NULL", bodies, "NULL", ids, bodies}, indexes: groups},
		"refresh groups":     {sql: refreshGroupsSQL, args: []any{fifo, bodies}, indexes: groups},
		"claim FIFO":         {sql: claimFIFOSQL, args: []any{fifo, 10, 10, time.Minute.Microseconds(), int64(1), time.Hour.Microseconds(), maxClaimBytes, true, 0}, indexes: groups},
		"look FIFO":          {sql: lookFIFOSQL, args: []any{fifo}, indexes: map[string]string{"message_groups_ready": "(turn <= "}},
		"delete FIFO":        {sql: deleteFIFOSQL, args: []any{fifo, 0, ids, leases}, indexes: byID},
		"extend FIFO":        {sql: extendFIFOSQL, args: []any{fifo, ids, leases, leases}, indexes: byID},
		"bury FIFO":          {sql: buryFIFOSQL, args: []any{fifo, fifo, 0, ids, leases, ones, bodies}, indexes: map[string]string{"messages_pkey": "(id <= s.id)", "message_groups_pkey": "(group_id <= "}, sorts: true},
		"delete a part":      {sql: deletePartSQL(`sent_at <= $4`), args: []any{s.queue.ID, 0, 10, "'2000-01-01'"}, indexes: map[string]string{"messages_pkey": "queue_id = "}},
		"expired":            {sql: `SELECT EXISTS (` + expiredQueuesSQL + `)`, indexes: map[string]string{"messages_pkey": "(id < ", "queues_live": ""}},
		"forgotten":          {sql: `SELECT EXISTS (` + forgottenSQL + `)`, indexes: map[string]string{"once_keys_expired": "expires_at"}},
		"carry":              {sql: carrySQL, args: []any{s.queue.ID, turnStride, 0, 0, turnStride}, indexes: map[string]string{"queue_counters_pkey": "(lane >= "}},
		"revoke":             {sql: revokeSQL, args: []any{s.queue.ID, 1, 10, 0}, indexes: claims},
	}
}

// TestHotPlans checks that hot statements find messages by their index alone, whatever
// the statistics say: nothing, that the table is empty, that it is full.
func TestHotPlans(t *testing.T) {
	s := setup(t)
	statements := s.hotStatements([]service.MessageID{outgoing(1)[0].ID, outgoing(1)[0].ID})
	for _, statistics := range []string{"missing", "of an empty table", "of a full table"} {
		switch statistics {
		case "of an empty table":
			s.execute("VACUUM ANALYZE")
		case "of a full table":
			s.send(500)
			s.claim(100)
			s.execute("VACUUM ANALYZE")
		}
		for name, statement := range statements {
			t.Run(name+" with statistics "+statistics, func(t *testing.T) { s.checkPlan(t, statement) })
		}
	}
}

// TestHotStatementsAreNotCompiled where the database would compile all that seems dear.
func TestHotStatementsAreNotCompiled(t *testing.T) {
	s := setup(t)
	s.execute(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = on', current_database()); END $$`)
	other, err := Open(s.ctx, Options{URL: s.url, Replica: "other", HotConnections: 1, Logger: s.log})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for name, pool := range map[string]*pool{"flushes": other.hot, "jobs": other.jobs} {
		var jit string
		if err := pool.QueryRow(s.ctx, "SHOW jit").Scan(&jit); err != nil || jit != "off" {
			t.Errorf("the connections of %s have jit = %q, %v", name, jit, err)
		}
	}
}

// growing are the tables that grow with the backlog.
var growing = []string{"messages", "message_groups", "once_keys", "queue_counters", "queues"}

func (s *store) checkPlan(t *testing.T, statement hotStatement) {
	s.explain(statement.sql, statement.args...).walk(func(p plan) {
		if p.Type == "Sort" && !statement.sorts {
			t.Error("sorts")
		}
		if !slices.Contains(growing, p.Relation) || p.Type == "ModifyTable" || p.Type == "Tid Scan" {
			return
		}
		column, ok := statement.indexes[p.Index]
		if p.Index == "queues_pkey" {
			column, ok = "id", true
		}
		if !strings.HasPrefix(p.Type, "Index") || !ok || !strings.Contains(p.Condition, column) {
			t.Errorf("reads %s by %s %s %s", p.Relation, p.Type, p.Index, p.Condition)
		}
	})
}
