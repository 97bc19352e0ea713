// Package catalogue names all fault points and all defects that can be put in on purpose. The
// server imports it only where it is built with the tag "fault".
package catalogue

// Point is a place at which the server can be made to crash or to pause.
type Point struct {
	Name  string
	Fails bool // it can also fail
}

// Points are all of them, in the order of a request's way.
var Points = []Point{
	{Name: "engine.flush.begin"},
	{Name: "service.flush.planned"},               // receivers have been promised what is sent
	{Name: "repository.flush.begin", Fails: true}, // the flush has a connection
	{Name: "repository.statement.queued", Fails: true},
	{Name: "repository.statement.answered", Fails: true}, // the transaction is open
	{Name: "repository.commit.before", Fails: true},      // all statements have been carried out
	{Name: "repository.commit.after", Fails: true},       // it is on disk, and the service does not know it yet
	{Name: "service.flush.committed"},                    // before any answer
	{Name: "service.handoff.complete"},                   // answers are given, but not to those who slept
	{Name: "engine.flush.done"},                          // before callers wake
	{Name: "engine.split"},                               // between the halves of a flush that was refused
	{Name: "service.flush.unknown"},                      // the connection was lost, and nothing is revoked
	{Name: "repository.revoke.backend", Fails: true},
	{Name: "repository.revoke.claim", Fails: true}, // after the claims of one queue
	{Name: "service.flush.revoked"},                // before the repetition
	{Name: "service.claim.got"},                    // before what was claimed is delivered
	{Name: "service.park.sleep"},
	{Name: "service.park.woken"},
	{Name: "service.bury"},    // between the claim and the move to the dead-letter queue
	{Name: "service.release"}, // the receiver has gone
	{Name: "repository.attempt.repeat", Fails: true},
	{Name: "repository.attempt.remember", Fails: true},
	{Name: "api.reply", Fails: true},

	{Name: "repository.purge.begin", Fails: true},   // it has been noted when the purge was
	{Name: "repository.purge.keys", Fails: true},    // messages are gone, deduplication ids are not
	{Name: "repository.delete.locked", Fails: true}, // groups
	{Name: "repository.delete.part", Fails: true},   // in its transaction
	{Name: "repository.delete.done", Fails: true},   // committed
	{Name: "repository.job.locked", Fails: true},    // this replica alone does the job now
	{Name: "repository.job.done", Fails: true},
	{Name: "repository.rows.part", Fails: true},     // rows that are no messages
	{Name: "repository.collect.queue", Fails: true}, // before the queue itself is forgotten
	{Name: "repository.redrive.start", Fails: true},
	{Name: "repository.redrive.step", Fails: true},
	{Name: "repository.redrive.locked", Fails: true},
	{Name: "repository.redrive.moved", Fails: true}, // in its transaction
	{Name: "repository.redrive.done", Fails: true},  // committed
	{Name: "service.redrive.announce"},              // receivers do not know of what was moved
	{Name: "repository.notify", Fails: true},
	{Name: "repository.change.done", Fails: true},      // a queue, a key or a user was changed, in its transaction
	{Name: "repository.change.committed", Fails: true}, // and nobody knows it yet
	{Name: "repository.audit.written", Fails: true},    // keys and users are changed after that, queues before

	{Name: "migrations.statement", Fails: true}, // in the migration's transaction
	{Name: "migrations.committed", Fails: true}, // golang-migrate does not know it yet
}

// FindPoint finds a point by its name.
func FindPoint(name string) (Point, bool) {
	for _, p := range Points {
		if p.Name == name {
			return p, true
		}
	}
	return Point{}, false
}
