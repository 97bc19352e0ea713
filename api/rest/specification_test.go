package rest_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/openapi"
	"tusq/service"
	"tusq/test/testservice"
)

// operation is one of the specification's, with the statuses that it may answer.
type operation struct {
	name, method string
	path         *regexp.Regexp
	statuses     map[string]bool
}

var operations = sync.OnceValue(func() []*operation {
	var specification struct {
		Paths map[string]map[string]struct{ Responses map[string]json.RawMessage }
	}
	if err := json.Unmarshal(openapi.JSON, &specification); err != nil {
		panic(err)
	}
	var all []*operation
	for path, methods := range specification.Paths {
		for method, found := range methods {
			o := &operation{name: method + " " + path, method: strings.ToUpper(method), statuses: map[string]bool{}}
			o.path = regexp.MustCompile("^" + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, `[^/]+`) + "$")
			for status := range found.Responses {
				o.statuses[status] = true
			}
			all = append(all, o)
		}
	}
	return all
})

// operationOf returns the operation that a request is for, or nil.
func operationOf(method, path string) *operation {
	for _, o := range operations() {
		if o.method == method && o.path.MatchString(path) {
			return o
		}
	}
	return nil
}

// wantSpecified fails the test unless the specification has the status for what was requested, if it has the request.
func wantSpecified(t *testing.T, request *http.Request, status int) {
	t.Helper()
	if o := operationOf(request.Method, request.URL.EscapedPath()); o != nil && !o.statuses[strconv.Itoa(status)] {
		t.Errorf("%s answered %d, which is not specified", o.name, status)
	}
}

// Where the database's disk is full, what needs room is answered with a code of its own.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := serve(t, testservice.On(t, database, service.Options{}))
	path := s.createQueue("orders")
	db, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), `
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END
$$;
CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON queues FOR EACH ROW EXECUTE FUNCTION full_disk()`); err != nil {
		t.Fatal(err)
	}
	for _, call := range []struct{ method, path, body string }{
		{"POST", path + "/messages", `{"body":"a"}`},
		{"POST", path + "/messages", `{"messages":[{"body":"a"},{"body":"b"}]}`},
		{"POST", "/v1/queues", `{"name":"more"}`},
		{"PATCH", path, `{"wait_seconds":1}`},
	} {
		s.call(call.method, call.path, call.body).wantProblem(http.StatusInsufficientStorage, service.CodeStorageFull)
	}
}

// Without the master key of a queue's encryption its messages can be neither sent nor seen.
func TestMissingMasterKey(t *testing.T) {
	t.Parallel()
	master, err := service.ParseMasterKeys(service.NewMasterKey().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	database := pgtest.New(t)
	s := serve(t, testservice.On(t, database, service.Options{MasterKeys: master}))
	s.call("POST", "/v1/queues", `{"name":"orders","encryption":"body"}`).want(http.StatusCreated)
	path := "/v1/queues/orders"
	s.sendMessage(path, "a")
	key := s.call("POST", "/v1/keys", `{"name":"k","actions":["send_messages"],"queues":["*"]}`).want(http.StatusCreated).text("id")

	s = serve(t, testservice.On(t, database, service.Options{}))
	for _, call := range []struct{ method, path, body string }{
		{"POST", path + "/messages", `{"body":"a"}`},
		{"POST", path + "/messages/receive", ""},
		{"GET", path + "/messages", ""},
		{"POST", "/v1/keys/" + key + "/rotate", ""},
	} {
		s.call(call.method, call.path, call.body).wantProblem(http.StatusConflict, service.CodeMasterKeyMissing)
	}
}
