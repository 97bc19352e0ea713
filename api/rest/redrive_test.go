package rest_test

import (
	"net/http"
	"testing"
	"time"

	"tusq/service"
)

// setupRedrive makes the queue orders with its dead-letter queue dead, which holds one
// message that came from orders for each body.
func setupRedrive(t *testing.T, bodies ...string) *server {
	t.Helper()
	s := setup(t)
	s.createQueue("dead")
	s.call("POST", "/v1/queues", `{"name":"orders","visibility_timeout":0,"dead_letter":{"queue":"dead","max_receives":1}}`).want(http.StatusCreated)
	for _, body := range bodies {
		s.sendMessage("/v1/queues/orders", body)
		s.receiveOne("/v1/queues/orders", "")
		if messages := s.receive("/v1/queues/orders", ""); len(messages) != 0 {
			t.Fatalf("received %v", messages)
		}
	}
	s.wantStats("/v1/queues/dead", len(bodies), 0, 0)
	return s
}

// ended returns a redrive when it has ended.
func (s *server) ended(redrive value) value {
	s.t.Helper()
	for s.t.Context().Err() == nil {
		now := s.call("GET", "/v1/redrives/"+redrive.text("id"), "").want(http.StatusOK)
		if now["ended_at"] != nil {
			return now
		}
	}
	s.t.Fatal("the redrive does not end")
	return nil
}

func TestRedriveToWhereMessagesCameFrom(t *testing.T) {
	s := setupRedrive(t, "a", "b")
	accepted := s.call("POST", "/v1/queues/dead/redrive", "")
	redrive := accepted.want(http.StatusAccepted)
	if at := accepted.header.Get("Location"); at != "/v1/redrives/"+redrive.text("id") {
		t.Errorf("Location: %q", at)
	}
	started, err := time.Parse(time.RFC3339Nano, redrive.text("started_at"))
	if err != nil || started.Location() != time.UTC || time.Since(started).Abs() > time.Hour {
		t.Errorf("started_at: %v, %v", redrive["started_at"], err)
	}
	wantEqual(t, redrive, value{
		"id": redrive["id"], "source": "dead", "status": "running", "moved": 0, "to_move": 2, "started_at": redrive["started_at"],
	})
	done := s.ended(redrive)
	wantEqual(t, done, value{
		"id": redrive["id"], "source": "dead", "status": "completed", "moved": 2, "to_move": 2,
		"started_at": redrive["started_at"], "ended_at": done["ended_at"],
	})
	s.wantStats("/v1/queues/dead", 0, 0, 0)
	s.wantStats("/v1/queues/orders", 2, 0, 0)
	s.call("DELETE", "/v1/redrives/"+redrive.text("id"), "").wantProblem(http.StatusConflict, service.CodeRedriveEnded)
}

func TestRedriveToAnotherQueue(t *testing.T) {
	s := setupRedrive(t, "a")
	elsewhere := s.createQueue("elsewhere")
	redrive := s.call("POST", "/v1/queues/dead/redrive", `{"destination":"elsewhere","rate":500}`).want(http.StatusAccepted)
	if redrive["destination"] != "elsewhere" || redrive["rate"] != 500.0 {
		t.Errorf("started %v", redrive)
	}
	wantEqual(t, s.ended(redrive)["status"], "completed")
	wantEqual(t, s.receiveOne(elsewhere, "")["body"], "a")
}

func TestCancelRedrive(t *testing.T) {
	s := setupRedrive(t)
	const messages = 20
	for range messages {
		s.sendMessage("/v1/queues/dead", "a")
	}
	redrive := s.call("POST", "/v1/queues/dead/redrive", `{"rate":1,"destination":"orders"}`).want(http.StatusAccepted)
	s.call("POST", "/v1/queues/dead/redrive", "").wantProblem(http.StatusConflict, service.CodeRedriveRunning)
	cancelled := s.call("DELETE", "/v1/redrives/"+redrive.text("id"), "").want(http.StatusAccepted)
	if status := cancelled["status"]; status != "cancelling" && status != "cancelled" {
		t.Errorf("the status is %v", status)
	}
	done := s.ended(redrive)
	moved, _ := done["moved"].(float64)
	if done["status"] != "cancelled" || moved == messages {
		t.Errorf("it ended as %v", done)
	}
	s.wantStats("/v1/queues/dead", messages-int(moved), 0, 0)
	s.wantStats("/v1/queues/orders", int(moved), 0, 0)
	s.call("DELETE", "/v1/redrives/"+redrive.text("id"), "").wantProblem(http.StatusConflict, service.CodeRedriveEnded)
}

// A message that was sent to the dead-letter queue itself has nowhere to go back to.
func TestRedriveFails(t *testing.T) {
	s := setupRedrive(t)
	s.sendMessage("/v1/queues/dead", "homeless")
	redrive := s.ended(s.call("POST", "/v1/queues/dead/redrive", "{}").want(http.StatusAccepted))
	if redrive["status"] != "failed" || redrive["failure"] != "source_unknown" || redrive["moved"] != 0.0 {
		t.Errorf("it ended as %v", redrive)
	}
	s.wantStats("/v1/queues/dead", 1, 0, 0)
}

func TestListRedrives(t *testing.T) {
	s := setupRedrive(t)
	wantEqual(t, s.call("GET", "/v1/queues/dead/redrives", "").want(http.StatusOK), value{"redrives": []any{}})
	var want []value // the newest first
	for range 2 {
		redrive := s.call("POST", "/v1/queues/dead/redrive", "").want(http.StatusAccepted)
		want = append([]value{s.ended(redrive)}, want...)
	}
	wantEqual(t, s.call("GET", "/v1/queues/dead/redrives", "").want(http.StatusOK)["redrives"], want)
	wantEqual(t, s.call("GET", "/v1/queues/dead/redrives?limit=1", "").want(http.StatusOK)["redrives"], want[:1])
	wantEqual(t, s.call("GET", "/v1/queues/orders/redrives", "").want(http.StatusOK), value{"redrives": []any{}})
}
