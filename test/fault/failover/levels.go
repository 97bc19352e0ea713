package failover

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tusq/client"
)

// The states of the standby in which messages are sent.
const (
	follows = iota
	paused  // it writes the log to its disk, and does not apply it
	away    // it does not run
	states
)

// stateNames are for people.
var stateNames = [states]string{"the standby follows", "it does not apply", "it is away"}

// Levels of durability, and the states in which each can be kept.
var levels = []struct {
	name string
	kept [states]bool
}{
	{"async", [states]bool{true, true, true}},
	{"local", [states]bool{true, true, true}},
	{"quorum", [states]bool{true, true, false}},
	{"applied", [states]bool{true, false, false}},
}

const (
	sendsOfLevel = 20 // in each state
	// What can be kept is acknowledged before a commit gives up that waits for the standby: it has not waited for one.
	keptTime   = 9 * time.Second
	brokenTime = 3 * time.Second // what cannot be kept has time enough to be acknowledged all the same
)

// Level is what became of the messages of a durability.
type Level struct {
	Name         string
	Acknowledged [states]int
	Unseen       int // that the standby did not show when they were acknowledged, while it followed
	Lost         int // that were acknowledged, and are not on the standby when it is promoted

	mu   sync.Mutex
	kept [states]bool
	ids  []string
}

// String is one line with the figures.
func (l *Level) String() string {
	var parts []string
	for state, n := range l.Acknowledged {
		parts = append(parts, fmt.Sprintf("%s: %d", stateNames[state], n))
	}
	return fmt.Sprintf("%s, acknowledged of %d: %s; %d not shown at once; %d lost after the promotion",
		l.Name, sendsOfLevel, strings.Join(parts, ", "), l.Unseen, l.Lost)
}

// Broken says what is not as the level promises, or "". That the others lose what only a dead primary had shows that
// something was tested.
func (l *Level) Broken() string {
	for state, kept := range l.kept {
		if want := map[bool]int{true: sendsOfLevel}[kept]; l.Acknowledged[state] != want {
			return fmt.Sprintf("%s: %d of %d were acknowledged; want %d", stateNames[state], l.Acknowledged[state], sendsOfLevel, want)
		}
	}
	switch replicated := !l.kept[away]; {
	case replicated && l.Lost > 0:
		return fmt.Sprintf("%d acknowledged messages are lost", l.Lost)
	case !replicated && l.Lost == 0:
		return "nothing is lost that only the dead primary had: nothing was tested"
	case !l.kept[paused] && l.Unseen > 0:
		return fmt.Sprintf("the standby did not show %d messages when they were acknowledged", l.Unseen)
	}
	return ""
}

// Levels sends to a queue of each durability while the standby follows, while it does not apply what it gets, and while it
// is away; then the primary dies, and the standby is promoted.
func Levels(ctx context.Context, o Options) ([]*Level, error) {
	pair, err := newPair(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	defer pair.close()
	urls, stop, err := startReplicas(ctx, o, pair.URL(), 1)
	if err != nil {
		return nil, err
	}
	defer stop()
	c, err := client.New(urls[0], client.WithRetry(0))
	if err != nil {
		return nil, err
	}
	if err := pair.AwaitQuorum(ctx); err != nil {
		return nil, err
	}
	var all []*Level
	for _, l := range levels {
		if _, _, err := c.CreateQueue(ctx, client.CreateQueue{Name: l.name, Settings: client.Settings{Durability: l.name}}); err != nil {
			return nil, err
		}
		all = append(all, &Level{Name: l.name, kept: l.kept})
	}
	if err := pair.sendInEachState(ctx, c, all); err != nil {
		return nil, err
	}
	pair.servers[pair.primary].Kill()
	if err := pair.standby().Start(ctx); err != nil {
		return nil, err
	}
	if err := pair.fail(ctx); err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.Lost, err = pair.missing(ctx, l.ids); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sendInEachState leaves the standby away.
func (p *pair) sendInEachState(ctx context.Context, c *client.Client, all []*Level) error {
	if err := p.sendAll(ctx, c, all, follows); err != nil {
		return err
	}
	if err := p.standby().Exec(ctx, "SELECT pg_wal_replay_pause()"); err != nil {
		return err
	}
	if err := p.sendAll(ctx, c, all, paused); err != nil {
		return err
	}
	if err := p.standby().Exec(ctx, "SELECT pg_wal_replay_resume()"); err != nil {
		return err
	}
	p.standby().Kill()
	return p.sendAll(ctx, c, all, away)
}

// sendAll sends to all levels at a time, so that one would be seen to hold up another.
func (p *pair) sendAll(ctx context.Context, c *client.Client, all []*Level, state int) error {
	var clients sync.WaitGroup
	failed := make(chan error, len(all)*sendsOfLevel)
	for _, l := range all {
		for range sendsOfLevel {
			clients.Go(func() { failed <- p.send(ctx, c, l, state) })
		}
	}
	clients.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// send sends one message; it is no error when it is not acknowledged.
func (p *pair) send(ctx context.Context, c *client.Client, l *Level, state int) error {
	limit := brokenTime
	if l.kept[state] {
		limit = keptTime
	}
	sending, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	sent, err := c.Send(sending, l.Name, client.SendMessage{Body: stateNames[state]})
	if err != nil {
		return nil //nolint:nilerr // that is what is counted
	}
	unseen := 0
	if state == follows {
		var looking error
		if unseen, looking = p.unseen(ctx, sent.ID); looking != nil {
			return looking
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Acknowledged[state]++
	l.Unseen += unseen
	l.ids = append(l.ids, sent.ID)
	return nil
}

// unseen is 1 when the standby does not show a message.
func (p *pair) unseen(ctx context.Context, id string) (n int, err error) {
	err = p.standby().QueryRow(ctx, []any{&n}, "SELECT 1 - count(*) FROM messages WHERE id = $1::text::uuid", id)
	return n, err
}
