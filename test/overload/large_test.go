package overload

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// clients is how many send and receive bodies of a mebibyte at once.
const clients = 64

// TestLargeMessages sends bodies of a mebibyte from all clients at once, in all forms,
// and receives them again.
func TestLargeMessages(t *testing.T) {
	s := serve(t, `, "visibility_timeout": 600`)
	sent := &bodiesByID{bodies: map[string]string{}}
	together(func(client int) {
		body := largeBody(client)
		sent.add(t, s.sendUntilTaken(t, client, body), body)
	})
	received := &bodiesByID{bodies: map[string]string{}}
	together(func(client int) {
		for {
			got := s.receive(t, client)
			if len(got) == 0 {
				return
			}
			for id, body := range got {
				received.add(t, id, body)
				if want := sent.bodies[id]; want != body {
					t.Errorf("message %s arrived with %d bytes, %.20q..., want %d, %.20q...", id, len(body), body, len(want), want)
				}
			}
		}
	})
	if len(received.bodies) != clients {
		t.Errorf("%d messages were received, want %d", len(received.bodies), clients)
	}
	s.checkMemory()
}

// together runs what every client does, and waits for all.
func together(do func(client int)) {
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() { do(client) })
	}
	all.Wait()
}

// largeBody is a text of a mebibyte that no other client sends.
func largeBody(client int) string {
	mark := fmt.Sprintf("%d ", client)
	return strings.Repeat(mark, mebibyte/len(mark)+1)[:mebibyte]
}

// bodiesByID are messages, each of which may be added once.
type bodiesByID struct {
	mu     sync.Mutex
	bodies map[string]string
}

func (b *bodiesByID) add(t *testing.T, id, body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, again := b.bodies[id]; again {
		t.Errorf("the message %s came twice", id)
	}
	b.bodies[id] = body
}

// send sends a body in the form that is the client's turn, and returns the message's id.
func (s *server) send(client int, body string) (a answer, id string) {
	var sent struct{ ID, MessageId string }
	switch client % 3 {
	case 0:
		a = s.messages("", object{"body": body})
	case 1:
		a = s.do("/v1/queues/"+queue+"/messages", "text/plain", "", body)
	default:
		a = s.sqs("SendMessage", object{"MessageBody": body})
	}
	if a.err == nil && a.status < http.StatusBadRequest {
		a.err = json.Unmarshal(a.body, &sent)
	}
	return a, sent.ID + sent.MessageId
}

// sendUntilTaken sends a body again as long as the server is too busy.
func (s *server) sendUntilTaken(t *testing.T, client int, body string) (id string) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		a, id := s.send(client, body)
		switch {
		case a.err == nil && id != "":
			return id
		case a.status != http.StatusServiceUnavailable || time.Now().After(deadline):
			t.Errorf("client %d was answered %d %s: %v", client, a.status, a.code(), a.err)
			return fmt.Sprint("none of client ", client, " ", time.Now())
		}
		time.Sleep(20 * time.Millisecond) // and tries again, as Retry-After asks
	}
}

// receive receives some messages in the form that is the client's turn: bodies by id.
func (s *server) receive(t *testing.T, client int) map[string]string {
	got := map[string]string{}
	if client%2 == 0 {
		var page struct{ Messages []message }
		s.messages("/receive", object{"max": 10}).decode(t, &page)
		for _, m := range page.Messages {
			got[m.ID] = m.Body
		}
		return got
	}
	var page struct {
		Messages []struct{ MessageId, Body string }
	}
	s.sqs("ReceiveMessage", object{"MaxNumberOfMessages": 10}).decode(t, &page)
	for _, m := range page.Messages {
		got[m.MessageId] = m.Body
	}
	return got
}
