package repository

import (
	"math"
	"sync"

	"tusq/service"
)

// A queue's number of messages is the sum of its counters. A replica's flushes write those of some of the first
// counterLanes, one for each loop of the engine, so that they do not wait for each other; its background work
// writes the one that is jobLanes further on, and a flush's burials, which change two queues, the one that is
// buryLanes further on.
//
// Each change leaves a dead version of the counter, and where vacuum cannot remove them all later changes read
// them all. So a flush's lane goes on with a new counter, of its next turn, after turnFlushes: the flush that
// begins it carries the old one's number over. The other lanes, which change seldom unless a queue's messages are poison,
// have turn 0 always.
const (
	counterLanes = 256
	jobLanes     = counterLanes
	fixLane      = 2 * counterLanes // of repairs: no replica's
	buryLanes    = 3 * counterLanes
	turnStride   = 4 * counterLanes // the counter of a lane's turn is called lane + turn * turnStride
	turns        = math.MaxInt32 / turnStride
	turnFlushes  = 250

	// countedLanes bounds what is remembered. What is forgotten begins with turn 0 again, and
	// finds the counter that it left at its first change of turns.
	countedLanes = 1 << 16
)

// carrySQL moves what the counters $3 to $4 of the lane of $2, $5 apart, hold to counter $2, which the flush has written to. So
// it waits for nobody: a counter that another replica of the same lane is writing stays.
const carrySQL = `
WITH old AS MATERIALIZED (
	SELECT ctid, queue_id
	FROM queue_counters
	WHERE queue_id = $1 AND lane BETWEEN $3 AND $4 AND lane <> $2 AND lane % $5 = $2 % $5
	ORDER BY queue_id, lane
	FOR UPDATE SKIP LOCKED
), gone AS (
	DELETE FROM queue_counters c
	USING old o
	WHERE c.ctid = o.ctid AND c.queue_id = o.queue_id
	RETURNING c.messages
)
INSERT INTO queue_counters AS c (queue_id, lane, messages)
SELECT $1, $2, sum(messages) FROM gone HAVING count(*) > 0
ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages`

// counters knows the turns of the lanes that this replica's flushes write.
type counters struct {
	mu    sync.Mutex
	lanes map[counterLane]*counterTurn
}

type counterLane struct {
	queueID int64
	lane    int
}

func (l counterLane) number(turn int) int { return l.lane + turn%turns*turnStride }

// counterTurn is where a lane is.
type counterTurn struct {
	turn    int
	flushes int  // in this turn
	carried bool // one of them, that was committed, has carried over what the counters before it hold
}

// counter is what a flush of a lane writes to.
type counter struct {
	lane     counterLane
	turn     int
	from, to int // the counters to carry over; none where to < from
}

func (n counter) number() int { return n.lane.number(n.turn) }

func (n counter) carries() bool { return n.to >= n.from }

// begin tells which counter a queue's part of a flush writes. Where it is tried again because its commit is
// unknown, that is the same one as before, which knows the flush's id.
func (c *counters) begin(lane counterLane, again bool) counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.lanes[lane]
	if t == nil {
		if len(c.lanes) >= countedLanes {
			clear(c.lanes)
		}
		t = &counterTurn{carried: true}
		c.lanes[lane] = t
	}
	if !again {
		if t.flushes >= turnFlushes && t.carried {
			t.turn, t.flushes, t.carried = (t.turn+1)%turns, 0, false
		}
		t.flushes++
	}
	n := counter{lane: lane, turn: t.turn, to: -1}
	switch {
	case t.carried:
	case t.turn == 1: // and what earlier processes left
		n.to = math.MaxInt32
	default:
		n.from = lane.number(t.turn - 1 + turns)
		n.to = n.from
	}
	return n
}

// committed notes that a flush was committed that chose these.
func (c *counters) committed(chosen []counter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range chosen {
		if t := c.lanes[n.lane]; n.carries() && t != nil && t.turn == n.turn {
			t.carried = true
		}
	}
}

// withdraw has lanes go on with the counters that they had, for another turn, where a flush found no room to begin
// the next: a new counter may need a page, and deletes are to work on a full disk. It tells whether there were any.
func (c *counters) withdraw(chosen []counter) (any bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range chosen {
		if t := c.lanes[n.lane]; n.carries() && t != nil && t.turn == n.turn && !t.carried {
			t.turn, t.flushes, t.carried = (t.turn-1+turns)%turns, 0, true
			any = true
		}
	}
	return any
}

// countersOf chooses the counters of a flush's parts. What changes no counter has that of turn 0.
func (r *Repository) countersOf(work []service.QueueWork, again bool) []counter {
	chosen := make([]counter, len(work))
	for i := range work {
		lane := counterLane{work[i].QueueID, r.laneOf(&work[i])}
		if len(work[i].Deletes)+len(work[i].Sends) == 0 {
			chosen[i] = counter{lane: lane, to: -1}
			continue
		}
		chosen[i] = r.counters.begin(lane, again)
	}
	return chosen
}

// laneOf is the lane of a flush's counters.
func (r *Repository) laneOf(w *service.QueueWork) int { return (r.lane + w.Lane) % counterLanes }

// queueCarry ends the turns before a counter's, after the statements that write to it.
func queueCarry(b *batch, n counter) {
	if n.carries() {
		b.queue(carrySQL, n.lane.queueID, n.number(), n.from, n.to, turnStride)
	}
}
