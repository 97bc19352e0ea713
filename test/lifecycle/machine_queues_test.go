package lifecycle

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"tusq/service"
)

// create makes another queue.
func (m *machine) create() {
	q := m.newQueue(draw(m, "kind", m.kinds...))
	if rapid.Bool().Draw(m.T, "with dead letters") {
		m.deadLetter(q, m.drawDeadLetter(q))
	}
}

// newQueue makes a queue of a kind with random settings.
func (m *machine) newQueue(kind string) *queue {
	name := fmt.Sprintf("%s-%d%s", m.prefix, len(m.queues), kind)
	set := service.DefaultSettings()
	set.FIFO = service.IsFIFO(name)
	set.VisibilityTimeout, set.Delay, set.Retention = m.visibility(), m.delay(), m.retention()
	change := service.QueueChange{VisibilityTimeout: &set.VisibilityTimeout, Delay: &set.Delay, Retention: &set.Retention}
	if set.FIFO {
		set.DeduplicationScope = draw(m, "scope", service.ScopeQueue, service.ScopeGroup)
		set.ContentDeduplication = rapid.Bool().Draw(m.T, "content deduplication")
		change.DeduplicationScope, change.ContentDeduplication = &set.DeduplicationScope, &set.ContentDeduplication
	}
	q := newQueue(name, set, nil)
	m.Logf("create %s: %+v", name, set)
	m.fail(m.surface().CreateQueue(name, change), "create")
	m.queues = append(m.queues, q)
	return q
}

func (m *machine) visibility() time.Duration {
	return draw(m, "visibility", 30*time.Second, 0, 10*time.Second, time.Minute, service.MaxVisibility)
}

func (m *machine) delay() time.Duration {
	return draw(m, "delay", 0, 0, 0, 10*time.Second, service.MaxDelay)
}

func (m *machine) retention() time.Duration {
	return draw(m, "retention", service.DefaultRetention, time.Minute, time.Hour)
}

// drawDeadLetter draws a dead-letter queue, or none.
func (m *machine) drawDeadLetter(q *queue) *queue {
	others := []*queue{nil}
	for _, other := range m.queues {
		if other != q && other.set.FIFO == q.set.FIFO && !other.deleted {
			others = append(others, other)
		}
	}
	return others[rapid.IntRange(0, len(others)-1).Draw(m.T, "dead-letter queue")]
}

// deadLetter sets a queue's policy, or removes it.
func (m *machine) deadLetter(q, dead *queue) {
	policy := &service.DeadLetter{}
	if dead != nil {
		policy.Queue, policy.MaxReceives = dead.name, draw(m, "max receives", 1, 1, 2, 3)
	}
	q.dead, q.set.DeadLetter = dead, policy
	m.Logf("dead letters of %s: %+v", q.name, policy)
	m.fail(m.surface().UpdateQueue(q.name, service.QueueChange{DeadLetter: policy}), "set the dead-letter policy")
}

// update changes one setting.
func (m *machine) update() {
	q := m.pick(anyQueue)
	var change service.QueueChange
	switch draw(m, "setting", "visibility", "delay", "retention", "dead letter", "content") {
	case "visibility":
		q.set.VisibilityTimeout = m.visibility()
		change.VisibilityTimeout = &q.set.VisibilityTimeout
	case "delay":
		q.delay(m.delay())
		change.Delay = &q.set.Delay
	case "retention":
		longer := m.retention()
		if _, expired := q.stats(m.now()); longer > q.set.Retention && expired.Total() > 0 {
			m.Skip("what has expired may or may not come back")
		}
		q.set.Retention = longer
		change.Retention = &q.set.Retention
	case "dead letter":
		m.deadLetter(q, m.drawDeadLetter(q))
		return
	case "content":
		if !q.set.FIFO {
			m.Skip("only FIFO queues know it")
		}
		q.set.ContentDeduplication = !q.set.ContentDeduplication
		change.ContentDeduplication = &q.set.ContentDeduplication
	}
	m.Logf("update %s: %+v", q.name, q.set)
	m.fail(m.surface().UpdateQueue(q.name, change), "update")
}

func (m *machine) deleteQueue() {
	q := m.pick(anyQueue)
	m.fail(m.surface().DeleteQueue(q.name), "delete the queue")
	q.deleted = true
}

// purge empties a queue. SQS may refuse a second purge within a minute.
func (m *machine) purge() {
	q := m.pick(anyQueue)
	s := m.surface()
	err := s.PurgeQueue(q.name)
	if service.ErrorCode(err) == service.CodePurgeInProgress && s.Lenient() && m.now().Before(q.purged.Add(time.Minute)) {
		return
	}
	m.fail(err, "purge")
	q.purge(m.now())
}

// redrive moves all that is visible in a dead-letter queue, to a queue or to where it came from.
func (m *machine) redrive() {
	source := m.pick(func(q *queue) bool { return m.isDeadLetterQueue(q) })
	start := service.StartRedrive{Source: source.name}
	m.world.Travel(time.Microsecond) // the newest redrive is the one that began last
	var to *queue
	visible := source.receivable(m.now())
	if !returnable(visible) || rapid.Bool().Draw(m.T, "to one queue") {
		to = m.pick(func(q *queue) bool { return q != source && q.set.FIFO == source.set.FIFO })
		start.Destination = to.name
	}
	if len(source.uncertain(m.now())) > 0 {
		m.Skip("it is not certain what the redrive moves")
	}
	_, err := m.surface().StartRedrive(start)
	m.fail(err, "start a redrive")
	m.awaitRedrive(source, int64(len(visible)))
	for _, msg := range visible {
		destination := to
		if to == nil {
			destination = msg.source
		}
		source.redrive(msg, destination, m.now())
		m.touched = append(m.touched, destination)
	}
}

func (m *machine) isDeadLetterQueue(q *queue) bool {
	for _, other := range m.queues {
		if other.dead == q && !other.deleted {
			return true
		}
	}
	return false
}

// returnable tells whether all messages can go back to where they came from.
func returnable(messages []*message) bool {
	for _, msg := range messages {
		if msg.source == nil || msg.source.deleted {
			return false
		}
	}
	return true
}

// awaitRedrive waits for the end of a redrive that moves so many.
func (m *machine) awaitRedrive(source *queue, moves int64) {
	s := m.surface()
	for {
		got, err := s.LastRedrive(source.name)
		m.fail(err, "look at the redrive")
		switch {
		case got.Status == service.RedriveCompleted && got.Moved == moves && got.ToMove >= moves:
			return
		case got.Status != service.RedriveRunning:
			m.differ("the redrive is %+v, want %d moved", got, moves)
		}
		_, _, err = m.store.StepRedrives(m.context)
		m.fail(err, "step the redrives")
	}
}
