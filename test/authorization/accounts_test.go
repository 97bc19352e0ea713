package authorization

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tusq/api"
	"tusq/api/auth"
	"tusq/api/auth/sigv4"
	"tusq/api/sqs"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/testserver"
	"tusq/web"
)

// tenant is an account with queues of the same names as the other's, and what it has seen.
type tenant struct {
	*world
	account string
	key     service.Credentials
	canary  string // in all its bodies, attributes, tags, groups and ids
	seen    strings.Builder
}

// setupTenants makes two accounts on a deployment that logs all that it can.
func setupTenants(t *testing.T) (a, b *tenant, log *safeLog) {
	t.Helper()
	t.Parallel()
	log = new(safeLog)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := newWorld(t, service.Options{Logger: logger})
	w.router = api.NewRouter(api.Options{
		Service: w.svc, Logger: logger, Metrics: telemetry.New(), Auth: true,
		SQS:     sqs.New(w.svc, sqs.Options{Region: testserver.Region, Logger: logger, Signatures: auth.NewSignatures(w.svc, sigv4.Options{})}),
		Console: web.New(w.svc, web.Options{Logger: logger}),
	})
	make := func(account, canary string) *tenant {
		return &tenant{world: w, account: account, key: w.key(account, service.Everything()), canary: canary}
	}
	return make("111111111111", "canary-of-one"), make("222222222222", "canary-of-two"), log
}

// safeLog is a buffer that many may write.
type safeLog struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// value is a JSON object.
type value map[string]any

func (v value) list(name string) []value {
	array, _ := v[name].([]any)
	objects := make([]value, len(array))
	for i := range array {
		objects[i], _ = array[i].(map[string]any)
	}
	return objects
}

func (v value) text(name string) string {
	text, _ := v[name].(string)
	return text
}

// get calls a route of REST as the tenant and returns the answer.
func (n *tenant) get(method, path, body string, headers ...string) (status int, v value) {
	n.t.Helper()
	r := httptest.NewRequest(method, host+path, strings.NewReader(strings.ReplaceAll(body, "{canary}", n.canary)))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+n.key.Token().Reveal())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	n.router.ServeHTTP(recorder, r)
	fmt.Fprintln(&n.seen, recorder.Header(), recorder.Body)
	_ = json.Unmarshal(recorder.Body.Bytes(), &v)
	return recorder.Code, v
}

// want is get for a status.
func (n *tenant) want(status int, method, path, body string, headers ...string) value {
	n.t.Helper()
	got, v := n.get(method, path, body, headers...)
	if got != status {
		n.t.Errorf("%s: %s %s: status %d, want %d: %v", n.account, method, path, got, status, v)
	}
	return v
}

// sqsWant does an action of SQS in both codecs and wants the same status of both.
func (n *tenant) sqsWant(status int, action, body, form string) {
	n.t.Helper()
	replace := strings.NewReplacer("{canary}", n.canary, "{base}", host+"/"+n.account)
	for _, got := range []answer{
		n.sqs(n.key, action, replace.Replace(body), ""), n.sqs(n.key, action, "", replace.Replace(form)),
	} {
		fmt.Fprintln(&n.seen, got.text)
		if got.status != status {
			n.t.Errorf("%s: %s: status %d, want %d: %s", n.account, action, got.status, status, got.text)
		}
	}
}

func (n *tenant) stats(queue string) string {
	n.t.Helper()
	return fmt.Sprint(n.want(200, "GET", "/v1/queues/"+queue+"/stats", ""))
}

// populate makes the tenant's queues and messages, and returns what it learns about them.
func (n *tenant) populate() (receipt, fifoReceipt, redrive string) {
	n.t.Helper()
	n.want(201, "POST", "/v1/queues", `{"name":"dead"}`)
	n.want(201, "POST", "/v1/queues", `{"name":"orders","tags":{"t":"{canary}"},"dead_letter":{"queue":"dead","max_receives":1}}`)
	n.want(201, "POST", "/v1/queues", `{"name":"orders.fifo","visibility_timeout":600}`)
	for i := range 3 {
		// The key is the same in both accounts, and the bodies are not.
		body := fmt.Sprintf(`{"body":"{canary} %d","attributes":{"a":{"type":"String","value":"{canary}"}}}`, i)
		n.want(201, "POST", "/v1/queues/orders/messages", body, "Idempotency-Key", fmt.Sprint("key-", i))
	}
	n.want(201, "POST", "/v1/queues/orders.fifo/messages", `{"body":"{canary}","group_id":"g","deduplication_id":"d"}`)
	fifo := n.want(200, "POST", "/v1/queues/orders.fifo/messages/receive", `{"attempt_id":"attempt"}`).list("messages")
	got := n.want(200, "POST", "/v1/queues/orders/messages/receive", `{"max":2}`).list("messages")
	if len(fifo) != 1 || len(got) != 2 || fifo[0].text("body") != n.canary || !strings.Contains(got[0].text("body"), n.canary) {
		n.t.Fatalf("%s received %v and %v", n.account, fifo, got)
	}
	// One message goes to the dead-letter queue, and back by a redrive.
	n.want(200, "POST", "/v1/queues/orders/messages/visibility", `{"messages":[{"receipt":"`+got[1].text("receipt")+`","visibility_timeout":0}]}`)
	for range 20 {
		n.want(200, "POST", "/v1/queues/orders/messages/receive", `{"max":1,"visibility_timeout":0,"wait_seconds":0}`)
	}
	return got[0].text("receipt"), fifo[0].text("receipt"), n.want(202, "POST", "/v1/queues/dead/redrive", `{"rate":1}`).text("id")
}

// TestAccountsAreApart: nothing that one account has been given is of any use in another, whose
// queues have the same names.
func TestAccountsAreApart(t *testing.T) {
	a, b, log := setupTenants(t)
	receipt, fifoReceipt, redrive := a.populate()
	b.populate()
	before := a.stats("orders") + a.stats("orders.fifo") + a.stats("dead")

	// Receipts.
	for queue, receipt := range map[string]string{"orders": receipt, "orders.fifo": fifoReceipt} {
		b.want(400, "DELETE", "/v1/queues/"+queue+"/messages/"+receipt, "")
		b.want(400, "PATCH", "/v1/queues/"+queue+"/messages/"+receipt, `{"visibility_timeout":0}`)
		for _, path := range []string{"/messages/delete", "/messages/visibility"} {
			body := `{"receipts":["` + receipt + `"]}`
			if path == "/messages/visibility" {
				body = `{"messages":[{"receipt":"` + receipt + `","visibility_timeout":0}]}`
			}
			results := b.want(200, "POST", "/v1/queues/"+queue+path, body).list("results")
			if len(results) != 1 || results[0]["error"].(map[string]any)["code"] != "receipt_invalid" {
				t.Errorf("another account's receipt: %v", results)
			}
		}
		b.sqsWant(404, "DeleteMessage", `{"QueueUrl":"{base}/`+queue+`","ReceiptHandle":"`+receipt+`"}`, "&QueueUrl={base}/"+queue+"&ReceiptHandle="+receipt)
		b.sqsWant(404, "ChangeMessageVisibility", `{"QueueUrl":"{base}/`+queue+`","ReceiptHandle":"`+receipt+`","VisibilityTimeout":0}`,
			"&QueueUrl={base}/"+queue+"&VisibilityTimeout=0&ReceiptHandle="+receipt)
		// And by the other account's address of its queue.
		there := host + "/" + a.account + "/" + queue
		b.sqsWant(400, "DeleteMessage", `{"QueueUrl":"`+there+`","ReceiptHandle":"`+receipt+`"}`, "&QueueUrl="+there+"&ReceiptHandle="+receipt)
		b.sqsWant(400, "ReceiveMessage", `{"QueueUrl":"`+there+`"}`, "&QueueUrl="+there)
	}
	// Redrives.
	b.want(404, "GET", "/v1/redrives/"+redrive, "")
	b.want(404, "DELETE", "/v1/redrives/"+redrive, "")
	for _, account := range []string{a.account, b.account} {
		task := taskHandle(account, redrive)
		b.sqsWant(404, "CancelMessageMoveTask", `{"TaskHandle":"`+task+`"}`, "&TaskHandle="+url.QueryEscape(task))
	}
	if got := a.want(200, "GET", "/v1/redrives/"+redrive, "").text("status"); got != "running" && got != "completed" {
		t.Errorf("the redrive is %s", got)
	}
	// Cursors: the audit log's is refused, those of queues and messages lead to the own ones.
	b.want(400, "GET", "/v1/audit?cursor="+a.want(200, "GET", "/v1/audit?limit=1", "").text("cursor"), "")
	b.want(200, "GET", "/v1/queues?limit=1&cursor="+a.want(200, "GET", "/v1/queues?limit=1", "").text("cursor"), "")
	var page value
	text := a.sqs(a.key, "ListQueues", `{"MaxResults":1}`, "").text // headers, and then the body
	if json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &page) != nil || page.text("NextToken") == "" {
		t.Errorf("there is no next page: %s", text)
	}
	b.sqsWant(200, "ListQueues", `{"MaxResults":1,"NextToken":"`+page.text("NextToken")+`"}`, "&MaxResults=1&NextToken="+url.QueryEscape(page.text("NextToken")))
	if cursor := a.want(200, "GET", "/v1/queues/orders/messages?limit=1", "").text("cursor"); cursor != "" {
		b.want(200, "GET", "/v1/queues/orders/messages?limit=1&cursor="+cursor, "")
	}
	if after := a.stats("orders.fifo"); !strings.Contains(before, after) {
		t.Errorf("the queues were %s, and now are %s", before, after)
	}
	// An account's audit log tells who from elsewhere has tried its queues, and this alone of them.
	tried := b.account + "/key " + b.key.KeyID
	a.wantAudit(tried, "receive_messages", "orders")
	// The message in flight is its receiver's alone still.
	a.want(204, "DELETE", "/v1/queues/orders/messages/"+receipt, "")
	a.want(204, "DELETE", "/v1/queues/orders.fifo/messages/"+fifoReceipt, "")

	for _, n := range []*tenant{a, b} {
		n.fail()
		n.look()
		n.want(200, "POST", "/v1/queues/orders/purge", "")
		n.want(204, "DELETE", "/v1/queues/dead", "")
		n.want(200, "GET", "/v1/audit", "")
		n.want(200, "GET", "/v1/keys", "")
		n.want(403, "GET", "/metrics", "")
	}
	metrics := a.rest(a.world.key(home, service.Everything()), "GET", "/metrics", "").text
	if !strings.Contains(metrics, "tusq_") || strings.Contains(metrics, "canary") {
		t.Errorf("the metrics have what is an account's alone, or nothing: %.2000s", metrics)
	}
	for _, pair := range [][2]*tenant{{a, b}, {b, a}} {
		own, others := pair[0], pair[1]
		if seen := strings.ReplaceAll(own.seen.String(), tried, ""); strings.Contains(seen, others.canary) || strings.Contains(seen, others.key.KeyID) {
			t.Errorf("%s has seen what is %s's", own.account, others.account)
		} else if !strings.Contains(seen, own.canary) {
			t.Errorf("%s has not even seen its own", own.account)
		}
		if text := log.String(); strings.Contains(text, own.canary) || strings.Contains(text, own.key.Secret.Reveal()) {
			t.Errorf("the log has what is %s's alone", own.account)
		}
		audit, _ := json.Marshal(own.want(200, "GET", "/v1/audit", ""))
		if strings.Contains(string(audit), "canary") {
			t.Errorf("the audit log has a message's content: %s", audit)
		}
	}
	if text := log.String(); !strings.Contains(text, "dialect=rest") || !strings.Contains(text, "dialect=sqs") {
		t.Error("requests were not logged")
	}
}

// wantAudit waits until the audit log, which is told of refusals by and by, has an entry.
func (n *tenant) wantAudit(actor, action, resource string) {
	n.t.Helper()
	var entries []value
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		entries = n.want(200, "GET", "/v1/audit", "").list("entries")
		if slices.ContainsFunc(entries, func(v value) bool {
			return v.text("actor") == actor && v.text("action") == action && v.text("resource") == resource
		}) {
			return
		}
	}
	n.t.Errorf("%s's audit log does not say that %s tried %s of %s: %v", n.account, actor, action, resource, entries)
}

// fail calls what fails, with the canary in it.
func (n *tenant) fail() {
	n.t.Helper()
	n.want(400, "POST", "/v1/queues/orders/messages", `{"body":"{canary}","delay_seconds":-1}`)
	n.want(400, "POST", "/v1/queues/orders/messages", `{"body":"{canary}"`)
	n.want(400, "POST", "/v1/queues/orders.fifo/messages", `{"body":"{canary}"}`)
	n.want(400, "DELETE", "/v1/queues/orders/messages/"+n.canary, "")
	n.want(404, "POST", "/v1/queues/none/messages", `{"body":"{canary}"}`)
	n.want(404, "GET", "/v1/redrives/"+n.canary, "")
	n.sqsWant(400, "SendMessage", `{"QueueUrl":"{base}/none","MessageBody":"{canary}"}`, "&QueueUrl={base}/none&MessageBody={canary}")
	n.sqsWant(400, "SendMessage", `{"QueueUrl":"{base}/orders","MessageBody":"{canary}","DelaySeconds":-1}`,
		"&QueueUrl={base}/orders&MessageBody={canary}&DelaySeconds=-1")
}

// look looks at the console.
func (n *tenant) look() {
	n.t.Helper()
	caller, err := n.svc.CallerOfToken(n.t.Context(), n.key.Token().Reveal(), netip.Addr{})
	n.must(err)
	handler := web.New(n.svc, web.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, path := range []string{"/console/queues", "/console/queues/orders", "/console/queues/dead", "/console/queues/orders.fifo", "/console/audit"} {
		r := httptest.NewRequest(http.MethodGet, host+path, nil)
		got := serve(handler, r.WithContext(auth.WithCaller(r.Context(), caller)))
		if got.status != http.StatusOK {
			n.t.Errorf("%s: status %d", path, got.status)
		}
		n.seen.WriteString(got.text)
	}
}

// TestSameIDsInTwoAccounts: idempotency keys, deduplication ids and attempts mean nothing beyond their account.
func TestSameIDsInTwoAccounts(t *testing.T) {
	a, b, _ := setupTenants(t)
	for _, n := range []*tenant{a, b} {
		n.want(201, "POST", "/v1/queues", `{"name":"orders"}`)
		n.want(201, "POST", "/v1/queues", `{"name":"orders.fifo"}`)
	}
	ids := map[string]bool{}
	for _, n := range []*tenant{a, b, a, b} {
		ids[n.want(201, "POST", "/v1/queues/orders/messages", `{"body":"{canary}"}`, "Idempotency-Key", "one").text("id")] = true
		ids[n.want(201, "POST", "/v1/queues/orders.fifo/messages", `{"body":"{canary}","group_id":"g","deduplication_id":"d"}`).text("id")] = true
		n.sqsWant(200, "SendMessage", `{"QueueUrl":"{base}/orders.fifo","MessageBody":"{canary}","MessageGroupId":"g","MessageDeduplicationId":"e"}`,
			"&QueueUrl={base}/orders.fifo&MessageBody={canary}&MessageGroupId=g&MessageDeduplicationId=e")
	}
	if len(ids) != 4 {
		t.Errorf("%d messages were stored, want 4: two in each account", len(ids))
	}
	for range 2 { // the second time it is the same attempt
		for _, n := range []*tenant{a, b} {
			got := n.want(200, "POST", "/v1/queues/orders.fifo/messages/receive", `{"attempt_id":"attempt","max":10}`).list("messages")
			if len(got) != 2 || got[0].text("body") != n.canary || got[1].text("body") != n.canary {
				t.Errorf("%s received %v", n.account, got)
			}
		}
	}
	if strings.Contains(a.seen.String(), b.canary) || strings.Contains(b.seen.String(), a.canary) {
		t.Error("one account has seen the other's")
	}
}
