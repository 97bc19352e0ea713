package service_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// fullSQL has the messages' table refuse new rows as a full disk does. Rows that are claimed or deleted need no new page here.
const fullSQL = `
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END
$$;
CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION full_disk()`

// TestFullDiskFailsSendsAlone sends, receives and deletes at the same time while there is no room for new messages.
func TestFullDiskFailsSendsAlone(t *testing.T) {
	const each = 50
	w := setup(t, service.QueueChange{})
	for i := range each {
		w.send(fmt.Sprint(i))
	}
	db, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(w.ctx)
	if _, err := db.Exec(w.ctx, fullSQL); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for range each {
		clients.Go(func() {
			_, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "one more"}}})
			wantCode(t, err, service.CodeStorageFull)
		})
		clients.Go(func() {
			if err := w.delete(w.queue, w.one(w.queue).Receipt); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
	}
	clients.Wait()
	w.wantStats(w.queue, service.Stats{})
	if _, err := db.Exec(w.ctx, `DROP TRIGGER full_disk ON messages`); err != nil {
		t.Fatal(err)
	}
	w.send("there is room again")
}
