package service

import (
	"context"
	"time"

	"tusq/internal/faultpoint"
	"tusq/service/wake"
)

// poller is a receive that waits. It serves one incarnation of its queue: it ends when the
// queue is deleted, and never takes messages of a new queue of the same name.
type poller struct {
	*Service
	queue   *Queue
	receive ReceiveMessages
	waiter  *wake.Waiter
	timeout <-chan time.Time
	ended   <-chan struct{} // closed when the caller's rights hold no longer
	over    bool            // the time is over
}

// poll claims, and sleeps until there may be more, for as long as wait. Beyond the most
// receives that may wait at a time it gives what is there now, or refuses: an empty answer
// would have the client ask again at once.
func (s *Service) poll(ctx context.Context, caller Caller, q *Queue, receive ReceiveMessages, wait time.Duration) ([]Claimed, error) {
	defer s.polls.Add(-1)
	if s.polls.Add(1) > s.maxPolls {
		claimed, err := s.claimOnce(ctx, q, receive)
		if err != nil || len(claimed) > 0 {
			return claimed, err
		}
		return nil, Errorf(CodeOverloaded, "As many receives wait here as may; try again in a moment.")
	}
	waiter := s.hub.Register(q.ID)
	defer waiter.Close()
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	p := poller{Service: s, queue: q, receive: receive, waiter: waiter, timeout: timeout.C, ended: caller.ended()}
	for {
		claimed, woken, err := p.round(ctx)
		if err != nil || len(claimed) == 0 && (!woken || p.over) {
			return nil, err
		}
		if err := s.authorizeStill(ctx, caller, q.Name); err != nil {
			s.release(p.queue, claimed)
			return nil, err
		}
		if len(claimed) > 0 {
			return claimed, nil
		}
		now, err := s.queues.get(ctx, caller.Account, q.Name)
		if err != nil {
			return nil, err
		}
		if now.ID != q.ID {
			return nil, ErrQueueNotFound(q.Name)
		}
		p.queue = now
	}
}

// authorizeStill is authorize for a receive that has waited: another account's queue may permit it no longer.
// The caller's own rights do not change; see poller.ended.
func (s *Service) authorizeStill(ctx context.Context, caller Caller, queue string) error {
	if caller.Account == caller.Home() {
		return nil
	}
	return s.authorize(ctx, caller, ActionReceiveMessages, queue)
}

// round looks for messages, and sleeps where there are none; woken: it is time to look again.
func (p *poller) round(ctx context.Context) (claimed []Claimed, woken bool, err error) {
	full, err := p.tooManyInFlight(ctx, p.queue, p.receive)
	if err != nil {
		return nil, false, err
	}
	if full {
		return p.sleep(ctx, nil)
	}
	claimed, err = p.look(ctx)
	if err != nil || len(claimed) > 0 {
		return claimed, false, err
	}
	claimed, woken, err = p.sleep(ctx, p.parking.park(p.queue, p.receive))
	if err != nil || len(claimed) == 0 {
		return nil, woken, err
	}
	claimed, buried, err := p.bury(ctx, p.queue, claimed)
	p.inFlight.add(p.queue.ID, len(claimed))
	return claimed, buried, err
}

// look claims what is visible, unless it is known that nothing is. Where it finds nothing and
// it is not known when the next message becomes visible, it claims again and asks for
// that: both are one transaction, so what is visible is claimed, and what is not is seen.
func (p *poller) look(ctx context.Context) ([]Claimed, error) {
	mark, quiet, planned := p.waiter.Look()
	if quiet && p.hearing.Load() {
		return nil, nil
	}
	claimed, more, err := p.claim(ctx, p.queue, p.receive)
	if err == nil && len(claimed) == 0 && !planned {
		claimed, more, err = p.claim(ctx, p.queue, p.receive, &op{kind: opLook, queue: p.queue})
	}
	switch {
	case err != nil:
		return nil, err
	case len(claimed) == 0:
		p.waiter.FoundNothing(mark, true)
	case more:
		p.hub.Wake(p.queue.ID, 1) // for another receiver
	}
	return claimed, nil
}

// sleep waits for messages that are handed to the parked demand, if there is one, for a
// wake, or for a reason to wait no longer.
func (p *poller) sleep(ctx context.Context, demand *parked) (handed []Claimed, woken bool, err error) {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	var done chan struct{}
	if demand != nil {
		done = demand.done
	}
	faultpoint.Pass("service.park.sleep")
	select {
	case <-done:
	case <-p.waiter.C:
		woken = true
	case <-p.timeout:
		p.over = true
	case <-p.draining:
	case <-p.ended:
		err = errUnauthenticated()
	case <-ctx.Done():
		err = ctx.Err()
	}
	faultpoint.Pass("service.park.woken")
	if demand != nil {
		handed = demand.leave()
	}
	if err != nil {
		p.release(p.queue, handed)
		return nil, false, err
	}
	if len(handed) > 0 && (woken || demand.demand.more) {
		p.hub.Wake(p.queue.ID, 1) // for another receiver: this one does not look
	}
	return handed, woken, nil
}
