package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"tusq/client"
)

// QueueCmd groups the commands on queues.
type QueueCmd struct {
	Create        QueueCreateCmd        `cmd:"" help:"Create a queue, unless it exists with these settings."`
	Update        QueueUpdateCmd        `cmd:"" help:"Change a queue's settings; those that are not given stay."`
	List          QueueListCmd          `cmd:"" help:"List the queues with their messages and settings."`
	Delete        QueueDeleteCmd        `cmd:"" help:"Delete a queue with all its messages, without asking."`
	Redrive       QueueRedriveCmd       `cmd:"" help:"Move the messages of a dead-letter queue to where they came from, or elsewhere."`
	Redrives      QueueRedrivesCmd      `cmd:"" help:"List the redrives of a dead-letter queue, the newest first."`
	CancelRedrive QueueCancelRedriveCmd `cmd:"" help:"End a redrive. What it has moved stays moved."`
}

// queueFlags are the settings that a queue can be given at any time.
type queueFlags struct {
	VisibilityTimeout *int   `placeholder:"SECONDS" help:"How long a received message is invisible to others: 0 to 43200, at first 30."`
	Delay             *int   `placeholder:"SECONDS" help:"From a send until the message is visible: 0 to 900, at first 0."`
	Retention         *int   `placeholder:"SECONDS" help:"From a send until the message expires: 60 to 1209600, at first 345600."`
	Wait              *int   `placeholder:"SECONDS" help:"How long a receive that does not say waits for a message: 0 to 20, at first 0."`
	MaxMessageSize    *int   `placeholder:"BYTES" help:"Of body and attributes: 1024 to 1048576, at first 1048576."`
	DeadLetter        string `placeholder:"QUEUE" and:"dead-letter" help:"Queue that takes messages which were received too often."`
	MaxReceives       int    `placeholder:"N" and:"dead-letter" help:"How often that is: 1 to 1000."`
	Durability        string `enum:",default,async,local,quorum,applied" default:"" placeholder:"LEVEL" help:"What is acknowledged is in the database's memory (async), on its disk (local), on the disks of synchronous standbys too (quorum), visible there (applied), or as the database is set (default, at first)."`
	Encryption        string `enum:",none,body" default:"" placeholder:"KIND" help:"What the database gets encrypted of messages that are sent from now on: nothing (none, at first), or bodies and attributes (body), which needs the server to have a master key."`
}

// settings are the flags that are given.
func (f *queueFlags) settings() client.Settings {
	settings := client.Settings{
		VisibilityTimeout: f.VisibilityTimeout,
		DelaySeconds:      f.Delay,
		RetentionSeconds:  f.Retention,
		WaitSeconds:       f.Wait,
		MaxMessageSize:    f.MaxMessageSize,
		Durability:        f.Durability,
		Encryption:        f.Encryption,
	}
	if f.DeadLetter != "" {
		settings.DeadLetter = &client.DeadLetter{Queue: f.DeadLetter, MaxReceives: f.MaxReceives}
	}
	return settings
}

// QueueCreateCmd creates a queue.
type QueueCreateCmd struct {
	Name string `arg:"" help:"1 to 80 of A-Z a-z 0-9 _ -; that of a FIFO queue ends with .fifo."`
	queueFlags

	ContentDeduplication bool   `help:"Of a FIFO queue: a message without deduplication id gets its body's SHA-256."`
	DeduplicationScope   string `enum:",queue,group" default:"" placeholder:"SCOPE" help:"Of a FIFO queue: whether a deduplication id is unique in the queue (default) or in its group."`
}

// Run creates the queue.
func (cmd *QueueCreateCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	create := client.CreateQueue{Name: cmd.Name, DeduplicationScope: cmd.DeduplicationScope, Settings: cmd.settings()}
	if cmd.ContentDeduplication {
		create.ContentDeduplication = new(true)
	}
	queue, created, err := c.CreateQueue(ctx, create)
	switch {
	case err != nil:
		return err
	case g.JSON:
		return g.printJSON(queue)
	case created:
		_, err = fmt.Fprintf(g.Stdout, "created queue %s\n", queue.Name)
	default:
		_, err = fmt.Fprintf(g.Stdout, "queue %s exists with these settings\n", queue.Name)
	}
	return err
}

// QueueUpdateCmd changes a queue's settings.
type QueueUpdateCmd struct {
	Name string `arg:"" help:"Queue to change."`
	queueFlags
	NoDeadLetter         bool  `help:"Deliver messages until they expire."`
	ContentDeduplication *bool `negatable:"" help:"Of a FIFO queue: a message without deduplication id gets its body's SHA-256."`
}

// Run changes the settings that are given, and tells all that the queue has then.
func (cmd *QueueUpdateCmd) Run(ctx context.Context, g *Globals) error {
	if cmd.NoDeadLetter && cmd.DeadLetter != "" {
		return errors.New("--no-dead-letter and --dead-letter exclude each other")
	}
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	update := client.UpdateQueue{Settings: cmd.settings(), RemoveDeadLetter: cmd.NoDeadLetter}
	update.ContentDeduplication = cmd.ContentDeduplication
	queue, err := c.UpdateQueue(ctx, cmd.Name, update)
	switch {
	case err != nil:
		return err
	case g.JSON:
		return g.printJSON(queue)
	}
	_, err = fmt.Fprintf(g.Stdout, "queue %s: %s\n", queue.Name, settingsText(queue))
	return err
}

// QueueListCmd lists queues.
type QueueListCmd struct {
	Prefix string `placeholder:"PREFIX" help:"Only queues whose names begin so."`
}

// listedQueue is a queue as it is listed in JSON, one on a line.
type listedQueue struct {
	client.Queue
	Stats client.QueueStats `json:"stats"`
}

// Run prints the queues.
func (cmd *QueueListCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	if !g.JSON {
		fmt.Fprintln(table, "NAME\tVISIBLE\tIN FLIGHT\tDELAYED\tSETTINGS")
	}
	for queue, err := range c.Queues(ctx, cmd.Prefix) {
		if err != nil {
			return err
		}
		stats, err := c.QueueStats(ctx, queue.Name)
		switch {
		case client.ErrorCode(err) == "queue_not_found":
			continue // deleted since it was listed
		case err != nil:
			return err
		case g.JSON:
			if err := g.printJSON(listedQueue{queue, stats}); err != nil {
				return err
			}
		default:
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\n", queue.Name, stats.Visible, stats.InFlight, stats.Delayed, settingsText(queue))
		}
	}
	return table.Flush()
}

// settingsText describes a queue's settings in one line, leaving out what is usual.
func settingsText(q client.Queue) string {
	text := []string{
		fmt.Sprintf("visibility=%ds", q.VisibilityTimeout),
		fmt.Sprintf("retention=%ds", q.RetentionSeconds),
	}
	if q.DelaySeconds > 0 {
		text = append(text, fmt.Sprintf("delay=%ds", q.DelaySeconds))
	}
	if q.WaitSeconds > 0 {
		text = append(text, fmt.Sprintf("wait=%ds", q.WaitSeconds))
	}
	if q.MaxMessageSize < client.MaxMessage {
		text = append(text, fmt.Sprintf("max-message-size=%d", q.MaxMessageSize))
	}
	if q.Durability != "default" && q.Durability != "" {
		text = append(text, "durability="+q.Durability)
	}
	if q.Encryption != "none" && q.Encryption != "" {
		text = append(text, "encryption="+q.Encryption)
	}
	if q.ContentDeduplication {
		text = append(text, "content-deduplication")
	}
	if q.DeduplicationScope == "group" {
		text = append(text, "deduplication-scope=group")
	}
	if q.DeadLetter != nil {
		text = append(text, fmt.Sprintf("dead-letter=%s after %d", q.DeadLetter.Queue, q.DeadLetter.MaxReceives))
	}
	return strings.Join(text, " ")
}

// QueueDeleteCmd deletes a queue.
type QueueDeleteCmd struct {
	Name string `arg:"" help:"Queue to delete."`
}

// Run deletes the queue.
func (cmd *QueueDeleteCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	if err := c.DeleteQueue(ctx, cmd.Name); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]string{"deleted": cmd.Name})
	}
	_, err = fmt.Fprintf(g.Stdout, "deleted queue %s\n", cmd.Name)
	return err
}
