// Package load is the clients of the fault suite: producers and consumers over the REST API and over SQS's JSON
// protocol, on standard and on FIFO queues. Every call that they make is an event of the history, also each
// repetition. They know of the service only what its answers say.
//
// What the checkers may rely on:
//
//   - The calls of one client do not overlap; each producer and each consumer is a client.
//   - A UID is never used again, also not by a later Run of the process. Attempts of one message have the same UID.
//   - 2xx is ok, 4xx is fail, all else is unknown (see classify), for each message of a batch too.
//   - A group of a FIFO queue belongs to one producer, which sends to it one call after the other. A message whose
//     outcome is not known, or that was refused for the moment, is sent again under the same deduplication id before
//     anything else of this producer, until it is known. Where that takes longer than repeatLimit, or Run
//     ends first, the group is not used again. Of a batch that was acknowledged in part, the rest is sent again, so it
//     may come after what stood behind it.
//   - A send to a standard queue that has a Key may be repeated, with the same messages on the same surface, for
//     repeatLimit at most: less than the service remembers keys.
//   - Of a receive or of deletions that are repeated, only the events tell.
//
// This holds while no fault holds back a request for a minute or longer: one that arrives when the service has forgotten
// its repetition is a second message by right.
//
// What they must know of the dialects: SQS acknowledges the deletion by an old receipt on a standard queue without
// deleting anything, and a receive whose client has gone is taken back by the server and not counted.
package load
