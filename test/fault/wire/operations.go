package wire

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tusq/service"
)

// operation is one kind of flush.
type operation struct {
	queues  []service.CreateQueue               // the first is the one that it is about
	prepare func(context.Context, *world) error // before the cut
	act     func(context.Context, *world) error // in the midst of which the cut comes
	check   func(context.Context, *world) error // of what has happened; leaves the queues empty
}

// Operations are the names of what can be swept.
func Operations() []string { return slices.Sorted(maps.Keys(operations)) }

var (
	standard = []service.CreateQueue{{Name: "orders"}}
	fifo     = []service.CreateQueue{{Name: "orders.fifo"}}
	// What is received once from mistrusted goes to dead the second time.
	mistrusted = []service.CreateQueue{{Name: "orders", QueueChange: service.QueueChange{
		DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1},
	}}, {Name: "dead"}}
)

var operations = map[string]operation{
	"send":         {standard, nothing, send(plain), received},
	"keyed":        {standard, nothing, send(keyed), repeated},
	"fifo send":    {fifo, nothing, send(plain), repeated},
	"hand-off":     {standard, await, send(plain), handedOff},
	"claim":        {standard, send(plain), claim, deleted},
	"fifo claim":   {fifo, send(plain), claim, deleted},
	"delete":       {standard, inFlight, remove, empty},
	"fifo delete":  {fifo, inFlight, remove, empty},
	"release":      {standard, inFlight, release, receivedAgain},
	"fifo release": {fifo, inFlight, release, receivedAgain},
	"dead letter":  {mistrusted, returned, claimNothing, buried},
}

func nothing(context.Context, *world) error { return nil }

// plain is a message whose call cannot be repeated by its caller, but that of a FIFO queue can.
func plain(w *world) service.SendMessages {
	message := service.SendMessage{Body: fmt.Sprint("message-", w.n)}
	if service.IsFIFO(w.queue()) {
		message.GroupID, message.DeduplicationID = "group", message.Body
	}
	return service.SendMessages{Messages: []service.SendMessage{message}}
}

// keyed is a message whose call can be repeated.
func keyed(w *world) service.SendMessages {
	call := plain(w)
	call.Key = service.CallKey{ID: call.Messages[0].Body}
	return call
}

// send sends the try's message.
func send(message func(*world) service.SendMessages) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		call := message(w)
		repeatable := call.Key.ID != "" || call.Messages[0].DeduplicationID != ""
		once := func() error {
			sent, err := w.SendMessages(ctx, caller, w.queue(), call)
			if err == nil {
				w.sent, err = sent[0].ID, sent[0].Err
			}
			return err
		}
		if repeatable {
			return w.repeat(once)
		}
		return once()
	}
}

// repeated sends the message anew, as one would who did not hear the answer: it is the same message. Then
// it is received once.
func repeated(ctx context.Context, w *world) error {
	first := w.sent
	if err := send(keyed)(ctx, w); err != nil {
		return fmt.Errorf("repeat the send: %w", err)
	}
	if w.sent != first {
		return fmt.Errorf("the repetition was stored as %s beside %s", w.sent, first)
	}
	return received(ctx, w)
}

// received checks that the message is there once, receives it and deletes it.
func received(ctx context.Context, w *world) error { return consume(ctx, w, w.queue(), 1) }

// receivedAgain does so for the second time.
func receivedAgain(ctx context.Context, w *world) error { return consume(ctx, w, w.queue(), 2) }

func consume(ctx context.Context, w *world, queue string, receives int) error {
	if err := w.wantStats(ctx, queue, service.Stats{Visible: 1}); err != nil {
		return err
	}
	messages, err := w.ReceiveMessages(ctx, caller, queue, service.ReceiveMessages{Max: 10, Wait: new(time.Duration(0))})
	if err != nil {
		return err
	}
	return w.accept(ctx, queue, messages, receives)
}

// accept checks that what was received is the message, so often received, and deletes it.
func (w *world) accept(ctx context.Context, queue string, messages []service.Message, receives int) error {
	if err := w.note(messages, receives); err != nil {
		return err
	}
	if err := w.wantStats(ctx, queue, service.Stats{InFlight: 1}); err != nil {
		return err
	}
	answers, err := w.DeleteMessages(ctx, caller, queue, []string{w.message.Receipt})
	if err == nil {
		err = answers[0]
	}
	return err
}

// note notes the message that was received.
func (w *world) note(messages []service.Message, receives int) error {
	if len(messages) != 1 || messages[0].ID != w.sent || messages[0].ReceiveCount != receives {
		return fmt.Errorf("received %+v, want %s for the %d. time", messages, w.sent, receives)
	}
	w.message = messages[0]
	return nil
}

// await has a receiver wait for the message.
func await(ctx context.Context, w *world) error {
	w.receive = make(chan receiveAnswer, 1)
	go func() {
		messages, err := w.ReceiveMessages(ctx, caller, w.queue(), service.ReceiveMessages{Max: 10, Wait: new(bound)})
		w.receive <- receiveAnswer{messages, err}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.Waiting() == 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// handedOff checks that the receiver that waited got the message.
func handedOff(ctx context.Context, w *world) error {
	answer := <-w.receive
	if answer.err != nil {
		return answer.err
	}
	return w.accept(ctx, w.queue(), answer.messages, 1)
}

// claim receives the message.
func claim(ctx context.Context, w *world) error {
	return w.repeat(func() error {
		messages, err := w.ReceiveMessages(ctx, caller, w.queue(), service.ReceiveMessages{Max: 10, Wait: new(time.Duration(0))})
		if err != nil {
			return err
		}
		return w.note(messages, 1)
	})
}

// deleted checks that the message is in flight, and that the receipt is good.
func deleted(ctx context.Context, w *world) error {
	return w.accept(ctx, w.queue(), []service.Message{w.message}, 1)
}

// inFlight sends the message and receives it.
func inFlight(ctx context.Context, w *world) error {
	if err := send(plain)(ctx, w); err != nil {
		return err
	}
	return claim(ctx, w)
}

// returned has the message received and released.
func returned(ctx context.Context, w *world) error {
	if err := inFlight(ctx, w); err != nil {
		return err
	}
	return release(ctx, w)
}

// remove deletes the message. A repetition may find it gone; that a first answer says so is an error.
func remove(ctx context.Context, w *world) error {
	return w.repeat(func() error {
		answers, err := w.DeleteMessages(ctx, caller, w.queue(), []string{w.message.Receipt})
		if err != nil {
			return err
		}
		return answers[0]
	})
}

func empty(ctx context.Context, w *world) error {
	return w.wantStats(ctx, w.queue(), service.Stats{})
}

// release makes the message visible again.
func release(ctx context.Context, w *world) error {
	return w.repeat(func() error {
		answers, err := w.ExtendMessages(ctx, caller, w.queue(), []service.ExtendVisibility{{Receipt: w.message.Receipt}})
		if err != nil {
			return err
		}
		return answers[0]
	})
}

// claimNothing receives from a queue whose only message is received too often.
func claimNothing(ctx context.Context, w *world) error {
	return w.repeat(func() error {
		messages, err := w.ReceiveMessages(ctx, caller, w.queue(), service.ReceiveMessages{Max: 10, Wait: new(time.Duration(0))})
		if err == nil && len(messages) > 0 {
			err = fmt.Errorf("received %+v", messages)
		}
		return err
	})
}

// buried checks that the message has gone to the dead-letter queue, once. It keeps its receives.
func buried(ctx context.Context, w *world) error {
	if err := empty(ctx, w); err != nil {
		return err
	}
	return consume(ctx, w, "dead", 2)
}
