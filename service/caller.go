package service

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Caller is who a call is made for. It can be made only by what has found out who calls, or
// by [Owner]: the zero Caller may do nothing.
type Caller struct {
	Account string     // 12 digits: whose queues the call is about
	From    netip.Addr // where the call came from; the zero Addr: from inside, or not known
	actor   *actor     // who calls, with what rights; nil: nobody
}

// actor is somebody who has been recognised. It is shared by the calls of all its requests
// and never changed: changed rights make a new one.
type actor struct {
	name    string // for the audit log: what kind of actor, and its id
	account string // its own
	rights  grants
	bounds  bounds
	ended   <-chan struct{} // closed when the rights hold no longer; nil: never
}

// Owner returns the caller who may do everything with an account's queues: everybody, where
// authentication is off, and the deployment itself.
func Owner(account string) Caller {
	return Caller{Account: account, actor: &actor{name: "owner", account: account, rights: Everything().grants()}}
}

// On returns the caller asking for another account's queues, of which it may do what their
// policies permit to its own account.
func (c Caller) On(account string) Caller {
	c.Account = account
	return c
}

// Name says who calls, for logs and audits; "" of nobody.
func (c Caller) Name() string {
	if c.actor == nil {
		return ""
	}
	return c.actor.name
}

// KeyID is the id of the key that calls; "" of others.
func (c Caller) KeyID() string {
	id, isKey := strings.CutPrefix(c.Name(), keyActor)
	if !isKey {
		return ""
	}
	return id
}

// keyActor begins the names of keys as callers.
const keyActor = "key "

// May tells whether the caller's rights permit an action with a queue of its own account. It is
// for those who show only what can be done: each call asks for itself.
func (c Caller) May(action Action, queue string) bool {
	return c.actor != nil && c.Account == c.Home() && c.actor.rights.permit(action, queue)
}

// Home is the caller's own account; "" of nobody.
func (c Caller) Home() string {
	if c.actor == nil {
		return ""
	}
	return c.actor.account
}

// ownName returns what a key or an attempt id of the caller's is kept as: accounts that share a
// queue do not share these.
func (c Caller) ownName(id string) string {
	if id == "" || c.Account == c.Home() {
		return id
	}
	return c.Home() + "/" + id
}

// ended is closed when the caller's rights hold no longer, while one of its calls waits.
func (c Caller) ended() <-chan struct{} {
	if c.actor == nil {
		return nil
	}
	return c.actor.ended
}

// mayGive tells whether the caller may do, and may do from there and as long, all that somebody with these
// rights and bounds may: nobody gives what they do not have.
func (c Caller) mayGive(rights Rights, b bounds) bool {
	return c.actor.rights.cover(rights) && c.actor.bounds.cover(b)
}

// bounds are from where and until when somebody may call.
type bounds struct {
	sources []netip.Prefix // none: from everywhere
	until   time.Time      // zero: for ever
}

// cover tells whether whatever is inside other is inside b.
func (b bounds) cover(other bounds) bool {
	if !b.until.IsZero() && (other.until.IsZero() || other.until.After(b.until)) {
		return false
	}
	if len(b.sources) > 0 && len(other.sources) == 0 {
		return false
	}
	for _, source := range other.sources {
		if len(b.sources) > 0 && !slices.ContainsFunc(b.sources, func(own netip.Prefix) bool {
			return own.Bits() <= source.Bits() && own.Contains(source.Addr())
		}) {
			return false
		}
	}
	return true
}

// Rights are what a key or a user may do: each of the actions with each of the queues of its account.
type Rights struct {
	Actions []Action
	// Queues are names, or beginnings of names that end with *; "*" stands for all. Actions that
	// are about no queue, which are ActionManageKeys and ActionReadAudit, need "*".
	Queues []string
}

// anyQueue is the pattern of all names.
const anyQueue = "*"

// Everything returns the rights of an administrator.
func Everything() Rights { return Rights{Actions: Actions(), Queues: []string{anyQueue}} }

// valid checks rights that somebody wants to give.
func (r Rights) valid() error {
	if len(r.Actions) == 0 {
		return &Error{Code: CodeMissingParameter, Field: "actions", Message: "actions is required."}
	}
	if len(r.Queues) == 0 {
		return &Error{Code: CodeMissingParameter, Field: "queues", Message: "queues is required."}
	}
	if len(r.Queues) > MaxQueuePatterns {
		return invalid("queues", "Rights name %d queues at most.", MaxQueuePatterns)
	}
	for _, pattern := range r.Queues {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		if isPrefix && isNamePrefix(prefix) {
			continue
		}
		if isPrefix || validQueueName(pattern) != nil {
			return invalid("queues", "Each is a queue's name, or the beginning of names and *.")
		}
	}
	return nil
}

// cover tells whether r permits all that other permits.
func (r Rights) cover(other Rights) bool {
	own := r.grants()
	return own.cover(other)
}

// grants are rights in the form in which calls ask for them.
type grants struct {
	actions  actionSet
	names    []string
	prefixes []string // "": all names
}

func (r Rights) grants() grants {
	g := grants{actions: setOf(r.Actions) | setOf([]Action{ActionFindQueue})}
	if g.actions.has(ActionGetQueue) {
		g.actions |= setOf([]Action{ActionListSources})
	}
	for _, pattern := range r.Queues {
		if prefix, isPrefix := strings.CutSuffix(pattern, "*"); isPrefix {
			g.prefixes = append(g.prefixes, prefix)
		} else {
			g.names = append(g.names, pattern)
		}
	}
	return g
}

// cover tells whether g permits all that other permits.
func (g *grants) cover(other Rights) bool {
	for _, action := range other.Actions {
		if !g.actions.has(action) {
			return false
		}
	}
	for _, pattern := range other.Queues {
		if prefix, isPrefix := strings.CutSuffix(pattern, "*"); isPrefix && !g.coversPrefix(prefix) {
			return false
		} else if !isPrefix && !g.covers(pattern) {
			return false
		}
	}
	return true
}

func (g *grants) permit(action Action, queue string) bool {
	return g.actions.has(action) && g.covers(queue)
}

func (g *grants) covers(queue string) bool {
	for _, prefix := range g.prefixes {
		if strings.HasPrefix(queue, prefix) {
			return true
		}
	}
	return slices.Contains(g.names, queue)
}

func (g *grants) coversPrefix(wanted string) bool {
	return slices.ContainsFunc(g.prefixes, func(prefix string) bool { return strings.HasPrefix(wanted, prefix) })
}
