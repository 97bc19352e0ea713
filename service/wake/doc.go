// Package wake lets receivers sleep until their queue may have a message for them.
//
// A waiter registers first and looks for messages then, so nothing that becomes
// visible in between is missed. It is woken by the queue's events, by a timer set to
// the moment at which the next message becomes visible, and by a slow periodic check
// that makes it right when an event was lost. A wake is a hint: who is woken looks.
//
// Invariants: a wake for n messages wakes at most n waiters, the longest waiting
// first; a wake that its waiter did not use goes on to the next one.
package wake
