// Package service is tusq's core: its vocabulary, its rules and its promises.
// HTTP dialects translate to it, PostgreSQL stores for it, and it knows neither.
//
// # Vocabulary
//
// A queue holds messages. A caller sends messages to it and receives messages
// from it. A received message is in flight: it belongs to its receiver until the
// visibility timeout ends. The receiver proves that by the receipt, which it
// gives back to delete the message or to extend its visibility.
//
// # A message's life
//
//	state      visible_at  claimed before
//	visible    <= now      either
//	delayed    > now       no
//	in flight  > now       yes
//
// The state is never stored: it follows from the time, so nothing has to run for
// a message to come back. All times are the database's.
//
// # FIFO queues
//
// A queue whose name ends with .fifo keeps the order of each message group. A receive
// gets the longest visible beginning of a group, and nothing of a group whose first
// message is in flight or delayed. A receipt holds until its visibility timeout ends
// and no longer. A message's deduplication id is accepted once in
// DeduplicationInterval, from the first accepted send, whatever becomes of the message.
//
// # What happens once
//
// A deduplication id and the key of a call are written in the transaction of what they
// name: so what a client repeats, through whatever replica, is answered as the first time.
// The attempt id of a receive is written right after its claim.
//
// # Invariants
//
//   - An acknowledged send is committed.
//   - A message has one lease at a time: a random number, new at every claim. A
//     receipt names queue incarnation, message and lease, and is sealed by a MAC.
//     Changing the visibility keeps the lease.
//   - Each effect is one row's change, made only where the lease still matches.
//   - A caller that goes away while it receives leaves nothing locked: what was
//     claimed for it, or handed to it, is released, and its receive count undone.
//   - Who changes the messages of a FIFO queue's group holds the group's row, so inside a
//     group the order of sequence numbers is that of commits.
//   - Every change of a queue's number of messages is counted in the transaction
//     that makes it, so counts are exact.
//
// # Where calls go
//
// Sends, deletions, extensions, releases and claims of all callers meet in the
// engine ([tusq/service/engine]), which flushes whatever is pending in one
// transaction. Waiting receivers sleep in [tusq/service/wake], and park their demands
// where a flush finds them: what it stores for them is stored already claimed. What
// keeps the tables small runs in [tusq/service/maintain].
//
// What a replica knows of a queue without asking is a hint, and something makes it right:
// that nothing is visible (the check), where its claims begin (the sweep), its settings
// (their age).
package service
