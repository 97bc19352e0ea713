package rest_test

import (
	"net/http"
	"testing"
	"time"

	"tusq/service"
)

func TestCreateQueue(t *testing.T) {
	s := setup(t)
	made := s.call("POST", "/v1/queues", `{"name":"plain"}`)
	queue := made.want(http.StatusCreated)
	if made.header.Get("Location") != "/v1/queues/plain" {
		t.Errorf("Location: %q", made.header.Get("Location"))
	}
	for _, name := range []string{"created_at", "updated_at"} {
		at, err := time.Parse(time.RFC3339Nano, queue.text(name))
		if err != nil || at.Location() != time.UTC || time.Since(at).Abs() > time.Hour {
			t.Errorf("%s: %v, %v", name, queue[name], err)
		}
		delete(queue, name)
	}
	wantEqual(t, queue, value{
		"name": "plain", "visibility_timeout": 30, "delay_seconds": 0, "retention_seconds": 345600,
		"wait_seconds": 0, "max_message_size": 1048576, "durability": "default", "encryption": "none", "fifo": false,
	})
}

func TestCreateQueueWithSettings(t *testing.T) {
	s := setup(t)
	s.createQueue("dead")
	const settings = `"visibility_timeout":5,"delay_seconds":6,"retention_seconds":70,"wait_seconds":8,"max_message_size":9000,"durability":"async",` +
		`"dead_letter":{"queue":"dead","max_receives":3},"tags":{"team":"a b"}}`
	queue := s.call("POST", "/v1/queues", `{"name":"full",`+settings).want(http.StatusCreated)
	again := s.call("POST", "/v1/queues", `{"name":"full",`+settings).want(http.StatusOK)
	wantEqual(t, again, queue)
	wantEqual(t, s.call("POST", "/v1/queues", `{"name":"full"}`).want(http.StatusOK), queue)
	wantEqual(t, s.call("GET", "/v1/queues/full", "").want(http.StatusOK), queue)
	delete(queue, "created_at")
	delete(queue, "updated_at")
	wantEqual(t, queue, value{
		"name": "full", "visibility_timeout": 5, "delay_seconds": 6, "retention_seconds": 70,
		"wait_seconds": 8, "max_message_size": 9000, "durability": "async", "encryption": "none", "fifo": false,
		"dead_letter": value{"queue": "dead", "max_receives": 3}, "tags": value{"team": "a b"},
	})
	s.call("POST", "/v1/queues", `{"name":"full","visibility_timeout":6}`).
		wantProblem(http.StatusConflict, service.CodeQueueExists)
}

func TestUpdateQueue(t *testing.T) {
	s := setup(t)
	s.createQueue("dead")
	path := s.createQueue("orders")
	queue := s.call("PATCH", path, `{"wait_seconds":20,"dead_letter":{"queue":"dead","max_receives":2},"tags":{"k":"v"}}`).want(http.StatusOK)
	wantEqual(t, queue["wait_seconds"], 20)
	wantEqual(t, queue["dead_letter"], value{"queue": "dead", "max_receives": 2})
	wantEqual(t, queue["visibility_timeout"], 30)

	queue = s.call("PATCH", path, `{"visibility_timeout":0,"durability":"local"}`).want(http.StatusOK)
	wantEqual(t, queue["visibility_timeout"], 0)
	wantEqual(t, queue["durability"], "local")
	wantEqual(t, queue["dead_letter"], value{"queue": "dead", "max_receives": 2})
	wantEqual(t, queue["tags"], value{"k": "v"})

	queue = s.call("PATCH", path, `{"dead_letter":null,"tags":{}}`).want(http.StatusOK)
	if queue["dead_letter"] != nil || queue["tags"] != nil {
		t.Errorf("not removed: %v", queue)
	}
	wantEqual(t, s.call("GET", path, "").want(http.StatusOK), queue)
}

func TestListQueues(t *testing.T) {
	s := setup(t)
	for _, name := range []string{"b-2", "a-1", "b-1", "b-3"} {
		s.createQueue(name)
	}
	page := s.call("GET", "/v1/queues?prefix=b-&limit=2", "").want(http.StatusOK)
	wantNames(t, page, "b-1", "b-2")
	page = s.call("GET", "/v1/queues?prefix=b-&limit=2&cursor="+page.text("cursor"), "").want(http.StatusOK)
	wantNames(t, page, "b-3")
	if page["cursor"] != nil {
		t.Errorf("the last page has the cursor %v", page["cursor"])
	}
	wantNames(t, s.call("GET", "/v1/queues", "").want(http.StatusOK), "a-1", "b-1", "b-2", "b-3")
	wantNames(t, s.call("GET", "/v1/queues?prefix=none", "").want(http.StatusOK))
}

func TestListQueuesByDeadLetterQueue(t *testing.T) {
	s := setup(t)
	s.createQueue("dead")
	s.createQueue("plain")
	for _, name := range []string{"b", "a"} {
		s.call("POST", "/v1/queues", `{"name":"`+name+`","dead_letter":{"queue":"dead","max_receives":1}}`).want(http.StatusCreated)
	}
	wantNames(t, s.call("GET", "/v1/queues?dead_letter=dead", "").want(http.StatusOK), "a", "b")
	page := s.call("GET", "/v1/queues?dead_letter=dead&limit=1", "").want(http.StatusOK)
	wantNames(t, page, "a")
	wantNames(t, s.call("GET", "/v1/queues?dead_letter=dead&cursor="+page.text("cursor"), "").want(http.StatusOK), "b")
	wantNames(t, s.call("GET", "/v1/queues?dead_letter=dead&prefix=b", "").want(http.StatusOK), "b")
	for _, name := range []string{"plain", "none", "a%20b"} {
		wantNames(t, s.call("GET", "/v1/queues?dead_letter="+name, "").want(http.StatusOK))
	}
}

func wantNames(t *testing.T, page value, names ...string) {
	t.Helper()
	queues := page.list("queues")
	if page["queues"] == nil || len(queues) != len(names) {
		t.Fatalf("got %v, want %v", page, names)
	}
	for i, queue := range queues {
		if queue.text("name") != names[i] {
			t.Errorf("at %d: got %v, want %s", i, queue["name"], names[i])
		}
	}
}

func TestDeleteQueue(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	s.sendMessage(path, "a")
	s.call("DELETE", path, "").want(http.StatusNoContent)
	s.call("GET", path, "").wantProblem(http.StatusNotFound, service.CodeQueueNotFound)
	s.call("DELETE", path, "").wantProblem(http.StatusNotFound, service.CodeQueueNotFound)
	s.createQueue("orders")
	s.wantStats(path, 0, 0, 0)
}

func TestPurgeQueueAndStats(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	for _, body := range []string{"a", "b"} {
		s.sendMessage(path, body)
	}
	s.call("POST", path+"/messages", `{"body":"c","delay_seconds":900}`).want(http.StatusCreated)
	s.receiveOne(path, `{}`)
	s.wantStats(path, 1, 1, 1)
	wantEqual(t, s.call("POST", path+"/purge", "").want(http.StatusOK), value{"purged": 3})
	wantEqual(t, s.call("POST", path+"/purge", "{}").want(http.StatusOK), value{"purged": 0})
	s.wantStats(path, 0, 0, 0)
}
