package overload

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// item is one of a batch, and its answer: none is both empty.
type item struct {
	name  string // of the item, and what its body begins with
	body  string
	kind  string // of attribute, where it has one
	error string // the code that it must get; empty: it succeeds

	receipt string // of what is settled
	id      string // that its message got
	got     string // the code that it got
}

// TestEachItemGetsItsOwnAnswer sends, deletes and extends by many batches at a time, in
// which good and bad items are mixed.
func TestEachItemGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, `, "max_message_size": 1024, "visibility_timeout": 600`)
	var mu sync.Mutex
	sent := map[string]string{} // bodies by the id that was answered
	batches(func(batch int) {
		items := s.sendItems(t, batch)
		mu.Lock()
		defer mu.Unlock()
		for _, i := range items {
			if i.id != "" {
				sent[i.id] = i.body
			}
		}
	})
	if want := manyBatches * goodItems; len(sent) != want {
		t.Fatalf("%d different ids were answered, want %d", len(sent), want)
	}
	received := s.receiveAll()
	for _, m := range received {
		if sent[m.ID] != m.Body {
			t.Errorf("message %s has body %.20q, want %.20q", m.ID, m.Body, sent[m.ID])
		}
		delete(sent, m.ID)
	}
	if len(sent) > 0 {
		t.Fatalf("%d messages are lost", len(sent))
	}
	kept := make([][]message, manyBatches)
	batches(func(batch int) {
		kept[batch] = s.settleItems(t, batch, received[batch*goodItems:(batch+1)*goodItems])
	})
	want := map[string]bool{}
	for _, m := range slices.Concat(kept...) {
		want[m.Body] = true
	}
	s.checkOnceEach(want)
}

// Of many batches of ten that are sent at a time, each has so many good items.
const (
	manyBatches = 64
	goodItems   = 6
)

// batches runs them all, even ones by REST and odd ones by SQS.
func batches(do func(batch int)) {
	var all sync.WaitGroup
	for batch := range manyBatches {
		all.Go(func() { do(batch) })
	}
	all.Wait()
}

// sendItems sends a batch in any order and checks its answers.
func (s *server) sendItems(t *testing.T, batch int) []*item {
	bySQS := batch%2 == 1
	var items []*item
	for i := range goodItems {
		items = append(items, &item{name: fmt.Sprintf("good-%d-%d", batch, i), kind: "String"})
	}
	items = append(items,
		&item{name: "large", body: strings.Repeat("x", 1025), error: in(bySQS, "message_too_large", "InvalidParameterValue")},
		&item{name: "attribute", kind: "Wrong", error: in(bySQS, "invalid_attribute", "InvalidParameterValue")},
		&item{name: "letter", body: "\x01", error: in(bySQS, "invalid_message", "InvalidMessageContents")},
		&item{name: "word", body: "\uFFFF", error: in(bySQS, "invalid_message", "InvalidMessageContents")},
	)
	for _, i := range items {
		i.body = i.name + " " + i.body
	}
	rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	if bySQS {
		s.sendBySQS(t, items)
	} else {
		s.sendByREST(t, items)
	}
	checkAnswers(t, items)
	for _, i := range items {
		if (i.id == "") != (i.error != "") {
			t.Errorf("item %s has id %q", i.name, i.id)
		}
	}
	return items
}

// in is a code in one of the two dialects.
func in(bySQS bool, rest, sqs string) string {
	if bySQS {
		return sqs
	}
	return rest
}

func checkAnswers(t *testing.T, items []*item) {
	for _, i := range items {
		if i.got != i.error {
			t.Errorf("item %s got %q, want %q", i.name, i.got, i.error)
		}
	}
}

// results are REST's answers to a batch.
type results struct {
	Results []struct {
		ID    string
		Error struct{ Code string }
	}
}

// decodeResults notes the answers of items by their order.
func decodeResults(t *testing.T, a answer, items []*item) {
	var r results
	a.decode(t, &r)
	if len(r.Results) != len(items) {
		t.Errorf("%d items got %d results", len(items), len(r.Results))
		return
	}
	for n, i := range items {
		i.id, i.got = r.Results[n].ID, r.Results[n].Error.Code
	}
}

func (s *server) sendByREST(t *testing.T, items []*item) {
	var messages []object
	for _, i := range items {
		m := object{"body": i.body}
		if i.kind != "" {
			m["attributes"] = object{"a": object{"type": i.kind, "value": "v"}}
		}
		messages = append(messages, m)
	}
	decodeResults(t, s.messages("", object{"messages": messages}), items)
}

// entries are SQS's answers to a batch.
type entries struct {
	Successful []struct{ Id, MessageId, MD5OfMessageBody string }
	Failed     []struct{ Id, Code string }
}

// decodeEntries notes the answers of items by their names.
func decodeEntries(t *testing.T, a answer, items []*item) entries {
	var e entries
	a.decode(t, &e)
	byName := map[string]*item{}
	for _, i := range items {
		byName[i.name] = i
		i.got = "no answer"
	}
	note := func(name, id, code string) {
		i := byName[name]
		if i == nil {
			t.Errorf("entry %q is not of the batch, or was answered twice", name)
			return
		}
		i.id, i.got = id, code
		delete(byName, name)
	}
	for _, good := range e.Successful {
		note(good.Id, good.MessageId, "")
	}
	for _, bad := range e.Failed {
		note(bad.Id, "", bad.Code)
	}
	return e
}

func (s *server) sendBySQS(t *testing.T, items []*item) {
	var list []object
	bodies := map[string]string{}
	for _, i := range items {
		bodies[i.name] = i.body
		entry := object{"Id": i.name, "MessageBody": i.body}
		if i.kind != "" {
			entry["MessageAttributes"] = object{"a": object{"DataType": i.kind, "StringValue": "v"}}
		}
		list = append(list, entry)
	}
	for _, good := range decodeEntries(t, s.sqs("SendMessageBatch", object{"Entries": list}), items).Successful {
		if sum := md5.Sum([]byte(bodies[good.Id])); good.MD5OfMessageBody != hex.EncodeToString(sum[:]) {
			t.Errorf("entry %s got another body's checksum", good.Id)
		}
	}
}

// settleItems deletes half of a batch's messages beside bad receipts, and makes all visible
// again, which those that were deleted cannot become. It returns the others.
func (s *server) settleItems(t *testing.T, batch int, messages []message) (kept []message) {
	bySQS := batch%2 == 1
	invalid := in(bySQS, "receipt_invalid", "ReceiptHandleIsInvalid")
	gone := in(bySQS, "message_not_found", "ReceiptHandleIsInvalid")
	half := len(messages) / 2
	kept = messages[half:]
	var deleted, extended []*item
	for n, m := range messages {
		name := fmt.Sprintf("message-%d-%d", batch, n)
		i := &item{name: name, receipt: m.Receipt}
		if n < half {
			i.error = gone
			deleted = append(deleted, &item{name: name, receipt: m.Receipt})
		}
		extended = append(extended, i)
	}
	for n, receipt := range []string{"nonsense", messages[0].Receipt[:20]} {
		bad := item{name: fmt.Sprint("bad-", n), receipt: receipt, error: invalid}
		again := bad
		deleted, extended = append(deleted, &bad), append(extended, &again)
	}
	for _, step := range []struct {
		path, action string
		items        []*item
	}{{"/delete", "DeleteMessageBatch", deleted}, {"/visibility", "ChangeMessageVisibilityBatch", extended}} {
		rand.Shuffle(len(step.items), func(i, j int) { step.items[i], step.items[j] = step.items[j], step.items[i] })
		if bySQS {
			decodeEntries(t, s.sqs(step.action, sqsReceipts(step.items)), step.items)
		} else {
			decodeResults(t, s.messages(step.path, restReceipts(step.path, step.items)), step.items)
		}
		checkAnswers(t, step.items)
	}
	return kept
}

func sqsReceipts(items []*item) object {
	var list []object
	for _, i := range items {
		list = append(list, object{"Id": i.name, "ReceiptHandle": i.receipt, "VisibilityTimeout": 0})
	}
	return object{"Entries": list}
}

func restReceipts(path string, items []*item) object {
	var receipts []string
	var messages []object
	for _, i := range items {
		receipts = append(receipts, i.receipt)
		messages = append(messages, object{"receipt": i.receipt, "visibility_timeout": 0})
	}
	if path == "/delete" {
		return object{"receipts": receipts}
	}
	return object{"messages": messages}
}
