package service_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/service"
)

func TestSendReceiveDelete(t *testing.T) {
	w := setup(t, service.QueueChange{})
	body := "quotes \" ' \\ tab\t CR\r LF\n é 漢 😀 \u007f\uFFFD"
	attributes := map[string]service.Attribute{
		"kind":  {Type: "String.label", Value: "ä\n"},
		"count": {Type: "Number", Value: "-1.5e3"},
		"raw":   {Type: "Binary", Binary: []byte{0, 255, 7}},
	}
	sent, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{
		{Body: body, Attributes: attributes, GroupID: "tenant-1", TraceHeader: "Root=1"},
	}})
	if err != nil || sent[0].Err != nil {
		t.Fatal(err, sent)
	}
	w.wantStats(w.queue, service.Stats{Visible: 1})

	m := w.one(w.queue)
	if m.ID != sent[0].ID || m.Body != body || m.GroupID != "tenant-1" || m.TraceHeader != "Root=1" || m.ReceiveCount != 1 {
		t.Errorf("received %+v", m)
	}
	for name, want := range attributes {
		if got := m.Attributes[name]; got.Type != want.Type || got.Value != want.Value || !slices.Equal(got.Binary, want.Binary) {
			t.Errorf("attribute %s is %+v, want %+v", name, got, want)
		}
	}
	if m.SentAt.IsZero() || m.FirstReceivedAt.Before(m.SentAt) || !m.VisibleAt.After(m.FirstReceivedAt) {
		t.Errorf("times out of order: %v %v %v", m.SentAt, m.FirstReceivedAt, m.VisibleAt)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 1})
	if again := w.receive(w.queue, 10); len(again) != 0 {
		t.Errorf("received %d messages that are in flight", len(again))
	}

	if err := w.delete(w.queue, m.Receipt); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := w.delete(w.queue, m.Receipt); err != nil {
		t.Errorf("delete again: %v", err)
	}
	w.wantStats(w.queue, service.Stats{})
}

func TestReceiveTakesTheOldestFirst(t *testing.T) {
	w := setup(t, service.QueueChange{})
	ids := append(w.send("a", "b", "c"), w.send("d")...)
	var got []string
	for _, max := range []int{2, 10} {
		for _, m := range w.receive(w.queue, max) {
			got = append(got, m.ID)
		}
	}
	if !slices.Equal(got, ids) {
		t.Errorf("received %v, want %v", got, ids)
	}
}

func TestDelays(t *testing.T) {
	w := setup(t, service.QueueChange{Delay: new(time.Hour / 6)})
	send := func(messages ...service.SendMessage) {
		t.Helper()
		if _, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: messages}); err != nil {
			t.Fatal(err)
		}
	}
	send(service.SendMessage{Body: "the queue's delay"}, service.SendMessage{Body: "none", Delay: new(time.Duration(0))})
	w.wantStats(w.queue, service.Stats{Visible: 1, Delayed: 1})
	if m := w.one(w.queue); m.Body != "none" {
		t.Errorf("received %q first", m.Body)
	}
	send(service.SendMessage{Body: "a second", Delay: new(time.Second)})
	// The other replica learns of the delayed message's time from the database alone.
	messages, err := w.other.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 10, Wait: new(20 * time.Second)})
	if err != nil || len(messages) != 1 || messages[0].Body != "a second" {
		t.Fatalf("the waiting receive got %v, %v", messages, err)
	}
	if m := messages[0]; m.FirstReceivedAt.Sub(m.SentAt) < time.Second {
		t.Errorf("it was received %v after it was sent", m.FirstReceivedAt.Sub(m.SentAt))
	}
}

func TestTimedOutMessageComesBackWithANewReceipt(t *testing.T) {
	w := setup(t, service.QueueChange{VisibilityTimeout: new(time.Second)})
	w.send("job")
	first := w.one(w.queue)
	again := w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Wait: new(20 * time.Second), Visibility: new(time.Minute)})
	if len(again) != 1 || again[0].ID != first.ID || again[0].ReceiveCount != 2 || again[0].Receipt == first.Receipt {
		t.Fatalf("second receive got %+v", again)
	}
	wantCode(t, w.delete(w.queue, first.Receipt), service.CodeReceiptStale)
	wantCode(t, w.extend(first.Receipt, time.Minute), service.CodeReceiptStale)
	w.wantStats(w.queue, service.Stats{InFlight: 1})
	if err := w.delete(w.queue, again[0].Receipt); err != nil {
		t.Error(err)
	}
	wantCode(t, w.extend(again[0].Receipt, time.Minute), service.CodeMessageNotFound)
}

func TestExpiredReceiptStillDeletesUntilTheNextReceive(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.send("job")
	m := w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Visibility: new(time.Duration(0))})[0]
	w.wantStats(w.queue, service.Stats{Visible: 1})
	if err := w.delete(w.queue, m.Receipt); err != nil {
		t.Error(err)
	}
	w.wantStats(w.queue, service.Stats{})
}

func TestExtend(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.send("job")
	m := w.one(w.queue)
	if err := w.extend(m.Receipt, 0); err != nil {
		t.Fatal(err)
	}
	w.wantStats(w.queue, service.Stats{Visible: 1})
	m = w.one(w.queue)
	if m.ReceiveCount != 2 {
		t.Errorf("receive count %d, want 2", m.ReceiveCount)
	}
	if err := w.extend(m.Receipt, service.MaxVisibility-time.Minute); err != nil {
		t.Errorf("extend to the limit: %v", err)
	}
	wantCode(t, w.extend(m.Receipt, service.MaxVisibility), service.CodeInvalidParameter) // since the receive it is more
	if err := w.delete(w.queue, m.Receipt); err != nil {
		t.Errorf("the receipt did not outlast the extension: %v", err)
	}
}

func TestBatchAnswersEachItem(t *testing.T) {
	w := setup(t, service.QueueChange{MaxMessageSize: new(2000)})
	sent, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{
		{Body: "good"}, {Body: ""}, {Body: "nul \x00"}, {Body: "bad \xff"}, {Body: strings.Repeat("x", 2001)},
		{Body: "\uFFFE"}, {Body: "fine", Delay: new(time.Duration(-1))}, {Body: "last"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []service.Code{"", service.CodeMissingParameter, service.CodeInvalidMessage, service.CodeInvalidMessage,
		service.CodeMessageTooLarge, service.CodeInvalidMessage, service.CodeInvalidParameter, ""}
	for i, code := range want {
		if (code == "") != (sent[i].Err == nil) || code != "" && service.ErrorCode(sent[i].Err) != code {
			t.Errorf("message %d: %v, want code %q", i, sent[i].Err, code)
		}
	}
	w.wantStats(w.queue, service.Stats{Visible: 2})

	messages := w.receive(w.queue, 10)
	answers, err := w.DeleteMessages(w.ctx, caller, w.queue, []string{messages[0].Receipt, "garbage", messages[1].Receipt, messages[0].Receipt})
	if err != nil || answers[0] != nil || answers[2] != nil || answers[3] != nil {
		t.Errorf("answers %v, %v", answers, err)
	}
	wantCode(t, answers[1], service.CodeReceiptInvalid)
	w.wantStats(w.queue, service.Stats{})
}

func TestReceiptsAreBoundToTheirQueue(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.create("others", service.QueueChange{})
	w.send("job")
	m := w.one(w.queue)
	forged := []byte(m.Receipt)
	forged[20] ^= 1
	for name, receipt := range map[string]string{
		"empty": "", "garbage": "AAAA", "forged": string(forged), "cut": m.Receipt[:len(m.Receipt)-1], "longer": m.Receipt + "A",
		"not base64": strings.Repeat("!", len(m.Receipt)),
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, w.delete(w.queue, receipt), service.CodeReceiptInvalid) })
	}
	wantCode(t, w.delete("others", m.Receipt), service.CodeReceiptInvalid)
	w.wantStats(w.queue, service.Stats{InFlight: 1})

	if err := w.DeleteQueue(w.ctx, caller, w.queue); err != nil {
		t.Fatal(err)
	}
	w.create(w.queue, service.QueueChange{})
	wantCode(t, w.delete(w.queue, m.Receipt), service.CodeReceiptInvalid)
}

func TestPurge(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.send("a", "b", "c")
	w.one(w.queue)
	if _, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "later", Delay: new(time.Minute)}}}); err != nil {
		t.Fatal(err)
	}
	purged, err := w.PurgeQueue(w.ctx, caller, service.PurgeQueue{Name: w.queue})
	if err != nil || purged != 4 {
		t.Errorf("purged %d, %v, want 4", purged, err)
	}
	w.wantStats(w.queue, service.Stats{})
	w.send("after")
	w.wantStats(w.queue, service.Stats{Visible: 1})
}

func TestDeadLetters(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.create("dead", service.QueueChange{})
	_, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 2}})
	if err != nil {
		t.Fatal(err)
	}
	id := w.send("poison")[0]
	for range 2 {
		m := w.one(w.queue)
		if err := w.extend(m.Receipt, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.send("good")
	if got := w.receive(w.queue, 10); len(got) != 1 || got[0].Body != "good" {
		t.Errorf("received %+v, want the message behind the poison alone", got)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 1})
	w.wantStats("dead", service.Stats{Visible: 1})
	m := w.one("dead")
	if m.ID != id || m.ReceiveCount != 3 || m.DeadLetterSource != w.queue {
		t.Errorf("the dead letter is %+v", m)
	}
}

func TestDeadLetterWakesItsQueuesReceiver(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.create("dead", service.QueueChange{})
	if _, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1}}); err != nil {
		t.Fatal(err)
	}
	w.send("poison")
	w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Visibility: new(time.Duration(0))})
	got := make(chan []service.Message, 1)
	go func() {
		messages, _ := w.other.ReceiveMessages(w.ctx, caller, "dead", service.ReceiveMessages{Max: 1, Wait: new(20 * time.Second)})
		got <- messages
	}()
	if messages := w.receive(w.queue, 1); len(messages) != 0 {
		t.Errorf("the poison was delivered once too often: %+v", messages)
	}
	if messages := <-got; len(messages) != 1 {
		t.Errorf("the dead-letter queue's receiver got %v", messages)
	}
}

// TestDeadLetterChain checks that each queue of a chain counts receives from zero.
func TestDeadLetterChain(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.create("last", service.QueueChange{})
	w.create("middle", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "last", MaxReceives: 2}})
	if _, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "middle", MaxReceives: 3}}); err != nil {
		t.Fatal(err)
	}
	w.send("poison")
	for _, stage := range []struct {
		queue string
		times int
	}{{w.queue, 3}, {"middle", 2}, {"last", 5}} {
		for n := range stage.times {
			got := w.receiveFor(stage.queue, service.ReceiveMessages{Max: 1, Visibility: new(time.Duration(0))})
			if len(got) != 1 {
				t.Fatalf("receive %d of %s got %d messages", n+1, stage.queue, len(got))
			}
		}
		if stage.queue != "last" {
			if got := w.receive(stage.queue, 1); len(got) != 0 {
				t.Fatalf("%s delivered once too often", stage.queue)
			}
		}
	}
	_, err := w.UpdateQueue(w.ctx, caller, "last", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "last", MaxReceives: 1}})
	wantCode(t, err, service.CodeInvalidParameter)
}

func TestWithoutItsDeadLetterQueueAMessageIsDelivered(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.create("dead", service.QueueChange{})
	if _, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteQueue(w.ctx, caller, "dead"); err != nil {
		t.Fatal(err)
	}
	w.send("job")
	for range 3 {
		m := w.one(w.queue)
		if err := w.extend(m.Receipt, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.wantStats(w.queue, service.Stats{Visible: 1})
}

func TestPoisonDoesNotStarveFreshMessages(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.send(slices.Repeat([]string{"poison"}, 10)...)
	for _, m := range w.receive(w.queue, 10) {
		if err := w.extend(m.Receipt, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.send(slices.Repeat([]string{"fresh"}, 10)...)
	fresh := 0
	for _, m := range w.receive(w.queue, 10) {
		if m.Body == "fresh" {
			fresh++
		}
	}
	if fresh != 5 {
		t.Errorf("%d of 10 places went to fresh messages, want 5", fresh)
	}
}

func TestPeekChangesNothing(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.send("1", "2", "3", "4", "5")
	if _, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "late", Delay: new(time.Minute)}}}); err != nil {
		t.Fatal(err)
	}
	w.one(w.queue)
	w.extend(w.one(w.queue).Receipt, 0)
	for state, want := range map[service.State]string{
		"": "1 2 3 4 5 late", service.StateVisible: "2 3 4 5", service.StateDelayed: "late", service.StateInFlight: "1",
	} {
		var bodies []string
		peek := service.PeekMessages{State: state, Limit: 2}
		for {
			page, err := w.PeekMessages(w.ctx, caller, w.queue, peek)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page.Messages {
				bodies = append(bodies, m.Body)
				if m.Receipt != "" || state != "" && m.State != state {
					t.Errorf("peeked %+v", m)
				}
			}
			if peek.Cursor = page.Cursor; peek.Cursor == "" {
				break
			}
		}
		if got := strings.Join(bodies, " "); got != want {
			t.Errorf("state %q: peeked %q, want %q", state, got, want)
		}
	}
	w.wantStats(w.queue, service.Stats{Visible: 4, InFlight: 1, Delayed: 1})
	_, err := w.PeekMessages(w.ctx, caller, w.queue, service.PeekMessages{Cursor: "garbage"})
	wantCode(t, err, service.CodeInvalidParameter)
}

func TestErrorsAreTheServices(t *testing.T) {
	for _, code := range service.Codes {
		err := error(service.Errorf(code, "text"))
		if service.ErrorCode(err) != code || service.ErrorMessage(err) != "text" {
			t.Errorf("code %s is read as %s", code, service.ErrorCode(err))
		}
	}
	if err := errors.New("secret"); service.ErrorCode(err) != service.CodeInternal || strings.Contains(service.ErrorMessage(err), "secret") {
		t.Error("an internal error's text is shown")
	}
}
