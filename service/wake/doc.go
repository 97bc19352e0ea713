// Package wake lets receivers sleep until their queue may have a message for them.
//
// A waiter registers first and looks for messages then, so nothing that becomes
// visible in between is missed. It is woken by the queue's events, by a timer set to
// the moment at which the next message becomes visible, and by a periodic check
// that makes it right when an event was lost. A wake is a hint: who is woken looks.
//
// A queue is planned while its timer is set to the next moment at which a message
// becomes visible (or there is none), and quiet while it is also known that nothing is
// visible now: then a receiver need not look before it sleeps. Both are known from a
// look, and forgotten when an event says otherwise, when the timer fires, and when the
// last look or check is older than quietAge.
//
// Invariants: a wake for n messages wakes at most n waiters, the longest waiting
// first; a wake that its waiter did not use goes on to the next one; a look that began
// before an event makes no queue quiet.
package wake
