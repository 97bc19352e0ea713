package pgtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// AwaitStandbyDemand has a connection commit until a commit waits for a standby, and cancels that wait by another. That a session
// knows the demand says nothing: commits ask shared memory, which the checkpointer changes.
func AwaitStandbyDemand(t testing.TB, observer, committer *pgx.Conn) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_, _ = committer.Exec(t.Context(), `SELECT pg_logical_emit_message(true, 'probe', '')`)
		}
	}()
	pid := committer.PgConn().PID()
	for end, waits := time.Now().Add(bound), false; !waits; time.Sleep(10 * time.Millisecond) {
		err := observer.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = $1)`, pid).Scan(&waits)
		if err != nil || time.Now().After(end) {
			t.Fatalf("commits do not wait for a standby: %v", err)
		}
	}
	stop()
	if _, err := observer.Exec(t.Context(), `SELECT pg_cancel_backend($1)`, pid); err != nil {
		t.Fatal(err)
	}
	<-ended
}
