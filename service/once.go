package service

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/google/uuid"
)

// What happens once in DeduplicationInterval. Every such thing has a Key, under which the
// store remembers it in the transaction in which it happens: a message of a FIFO queue
// under its deduplication id, a call under its CallKey, a receive under its attempt id.

// newKey makes a Key of what kind of thing it is and what names it.
func newKey(kind string, names ...string) Key {
	hash := sha256.New()
	hash.Write([]byte(kind))
	for _, name := range names {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(name)))
		hash.Write(size[:])
		hash.Write([]byte(name))
	}
	return Key(hash.Sum(nil))
}

// deduplicate gives a message its deduplication id, by its content where the sender gave
// none, and the Key in the queue's scope.
func (o *Outgoing) deduplicate(id string, scope DeduplicationScope) {
	if id == "" {
		sum := sha256.Sum256([]byte(o.Body))
		id = hex.EncodeToString(sum[:])
	}
	group := ""
	if scope == ScopeGroup {
		group = o.GroupID
	}
	o.DeduplicationID, o.Key = id, newKey("message", group, id)
}

// newMessageIDs makes the ids of one call's messages: each follows from the first, so that
// who knows the first knows all.
func newMessageIDs(n int) ([]MessageID, error) {
	first, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make message ids: %w", err)
	}
	first[14], first[15] = 0, 0
	ids := make([]MessageID, n)
	for i := range ids {
		ids[i] = MessageID(first).following(i)
	}
	return ids, nil
}

// following returns the id of a call's message by its place among them, from the id of the first.
func (id MessageID) following(place int) MessageID {
	binary.BigEndian.PutUint16(id[14:], uint16(place))
	return id
}

func (id MessageID) String() string { return uuid.UUID(id).String() }

// sent is the answer to a stored message, or to one that was not stored again.
func (o *Outgoing) sent(place int) Sent {
	// The deduplication id of a FIFO queue's message may have been forgotten since, by a purge.
	if o.Call != nil && o.Call.repeated() && o.Sequence == 0 {
		return Sent{ID: o.Call.FirstOwner.following(place).String()}
	}
	return Sent{ID: o.StoredID.String(), Sequence: o.Sequence}
}

// call returns the record of a call with a key, or nil: also on a FIFO queue unless the key
// is strict, because its messages' deduplication ids do the same.
func (s *SendMessages) call(first MessageID, fifo bool, sent []Sent) *SendCall {
	if s.Key.ID == "" || fifo && !s.Key.Strict {
		return nil
	}
	fingerprint := s.fingerprint(sent)
	if s.Key.Strict {
		return &SendCall{Key: newKey("call", s.Key.ID), Fingerprint: fingerprint, Owner: first}
	}
	return &SendCall{Key: newKey("invocation", s.Key.ID, string(fingerprint[:])), Fingerprint: fingerprint, Owner: first}
}

// fingerprint tells calls with other messages apart, and those of which other messages are
// refused: what the first call did not store must not be taken for stored. Trace headers do
// not count: something on the way may give each repetition another.
func (s *SendMessages) fingerprint(sent []Sent) Key {
	messages := slices.Clone(s.Messages)
	var refused []string
	for i := range messages {
		messages[i].TraceHeader = ""
		if sent[i].Err != nil {
			refused = append(refused, strconv.Itoa(i))
		}
	}
	text, err := json.Marshal(messages)
	if err != nil {
		panic(err) // strings, numbers and bytes only
	}
	return newKey("fingerprint", append(refused, string(text))...)
}

// repeated tells whether the call had been carried out before. Of a call whose flush has
// failed nothing is known.
func (c *SendCall) repeated() bool { return c.FirstOwner != c.Owner && c.FirstOwner != MessageID{} }

// reused tells whether the call's key has named another call.
func (c *SendCall) reused() bool {
	return c != nil && c.repeated() && c.FirstFingerprint != c.Fingerprint
}

// openCalls are the strict keys of calls that are being carried out by this replica.
type openCalls struct {
	mu   sync.Mutex
	keys map[openCall]bool
}

type openCall struct {
	queueID int64
	key     string
}

// begin notes a strict call until end is called, or refuses it while one of its key is noted.
func (o *openCalls) begin(q *Queue, key CallKey) (end func(), err error) {
	if !key.Strict || key.ID == "" {
		return func() {}, nil
	}
	call := openCall{q.ID, key.ID}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys[call] {
		return nil, &Error{Code: CodeKeyInUse, Field: "idempotency_key",
			Message: "A call of this idempotency key is being carried out."}
	}
	o.keys[call] = true
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.keys, call)
	}, nil
}

// firsts are the calls and the FIFO messages of a flush by their keys. Of calls with the same
// key the first is carried out, of messages the first whose call is, and the others get its answer.
type firsts struct {
	calls    map[Key]*SendCall
	messages map[Key][]*Outgoing // each of another call, and none behind one without a call
}

// addSend adds a message to what is stored, unless the flush is sure to store one of the same key, or
// has found out that there is no need to. A message whose call may be a repetition is sure of nothing.
func (w *QueueWork) addSend(m *Outgoing) {
	if call := m.Call; call != nil {
		if w.firsts.calls == nil {
			w.firsts.calls = map[Key]*SendCall{}
		}
		first := w.firsts.calls[call.Key]
		if first == nil {
			first = call
			w.firsts.calls[call.Key] = call
			w.Calls = append(w.Calls, call)
		}
		if first != call {
			return
		}
	}
	if w.FIFO {
		if w.firsts.messages == nil {
			w.firsts.messages = map[Key][]*Outgoing{}
		}
		sure := func(first *Outgoing) bool { return first.Call == nil || first.Call == m.Call }
		if slices.ContainsFunc(w.firsts.messages[m.Key], sure) {
			return
		}
		w.firsts.messages[m.Key] = append(w.firsts.messages[m.Key], m)
	}
	w.Sends = append(w.Sends, m)
}

// answerSend gives a message that was not added the answer of the one that was.
func (w *QueueWork) answerSend(m *Outgoing) {
	if call := m.Call; call != nil {
		first := w.firsts.calls[call.Key]
		call.FirstOwner, call.FirstFingerprint = first.FirstOwner, first.FirstFingerprint
	}
	if firsts := w.firsts.messages[m.Key]; len(firsts) > 0 && !slices.Contains(firsts, m) {
		m.StoredID, m.Sequence = firsts[0].StoredID, firsts[0].Sequence
	}
}
