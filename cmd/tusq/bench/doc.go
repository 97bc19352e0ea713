// Package bench measures a queue service over HTTP: tusq's REST API, or any endpoint that
// speaks SQS's AWS JSON.
//
// # Load
//
// A worker has one connection and at most one call in flight. In a closed loop it calls
// again as soon as it is answered. In an open loop the workers share one schedule, and a
// call's latency counts from the moment when the schedule wanted it: calls that wait for
// a free worker behind a stalled server are as slow as their users would find them.
//
// The load shares its machine with the server in most measurements, so it must cost
// little: requests and their bodies are written into buffers that are used again, and of
// an answer only receipts, ids, bodies and errors are looked for.
//
// # Workloads
//
//   - Send: all workers send.
//   - Lifecycle: half of them send; the others receive, with long polls, and delete.
//   - Latency: a life cycle in an open loop; each message carries its intended time, so
//     that its way from sender to receiver is measured, by one clock.
//   - Idle: all workers poll queues into which nothing is sent.
//   - Noop: the requests of Send to a server that only answers, for comparison.
package bench
