package service

import "context"

// authorize is the one place that decides whether a caller may do something with a queue. Every
// call of every dialect asks it, for each queue that it touches, before it looks for the
// queue: so a refusal tells nothing about what exists.
//
// A caller's rights decide about its own account's queues. About another account's queue its
// rights and the queue's policy decide, and where they do not permit it there is no such queue.
func (s *Service) authorize(ctx context.Context, caller Caller, action Action, queue string) error {
	if caller.actor == nil {
		return s.refuse(ctx, caller, action, queue, errUnauthenticated())
	}
	if !caller.actor.rights.permit(action, queue) {
		return s.refuse(ctx, caller, action, queue, errForbidden(action))
	}
	if caller.Account == caller.actor.account {
		return nil
	}
	shared, err := s.isShared(ctx, caller, action, queue)
	if err == nil && !shared {
		err = s.refuse(ctx, caller, action, queue, ErrQueueNotFound(queue))
	}
	return err
}

// isShared tells whether another account's queue permits an action to the caller's account. It fails where that
// cannot be known now.
func (s *Service) isShared(ctx context.Context, caller Caller, action Action, queue string) (bool, error) {
	if s.permits == nil {
		return false, nil
	}
	q, err := s.queues.get(ctx, caller.Account, queue)
	if err != nil && isServerFault(err) {
		return false, err
	}
	return err == nil && q.permits.allow(caller.actor.account, action), nil
}

// authorizeAll is authorize for an action that is about no queue.
func (s *Service) authorizeAll(ctx context.Context, caller Caller, action Action) error {
	switch {
	case caller.actor == nil:
		return s.refuse(ctx, caller, action, "", errUnauthenticated())
	case caller.Account != caller.actor.account,
		!caller.actor.rights.actions.has(action), !caller.actor.rights.coversPrefix(""):
		return s.refuse(ctx, caller, action, "", errForbidden(action))
	}
	return nil
}

// MayMeasure fails unless the caller is of the account that the deployment belongs to: metrics tell of all accounts.
func (s *Service) MayMeasure(ctx context.Context, caller Caller) error {
	switch {
	case caller.actor == nil:
		return errUnauthenticated()
	case caller.Home() == s.account:
		return nil
	}
	return s.noteRefusal(ctx, caller, AuditEntry{Action: auditReadMetrics},
		Errorf(CodeForbidden, "Metrics tell of all accounts: they need a key of the account that the service belongs to."))
}

func errUnauthenticated() *Error {
	return Errorf(CodeUnauthenticated, "The request has no valid credentials.")
}

func errForbidden(action Action) *Error {
	return Errorf(CodeForbidden, "These credentials do not permit %s here.", action)
}

// Permit is what a queue permits to other accounts.
type Permit struct {
	Accounts []string // "*": all
	Actions  []Action
}

type permits []Permit

func (p permits) allow(account string, action Action) bool {
	for _, permit := range p {
		if permit.names(account) && setOf(permit.Actions).has(action) {
			return true
		}
	}
	return false
}

func (p Permit) names(account string) bool {
	for _, a := range p.Accounts {
		if a == account || a == "*" {
			return true
		}
	}
	return false
}
