package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"tusq/client"
)

// redrivePause is between two looks at a redrive that is followed.
const redrivePause = 500 * time.Millisecond

// QueueRedriveCmd moves a dead-letter queue's messages.
type QueueRedriveCmd struct {
	Name        string `arg:"" help:"Dead-letter queue to move from."`
	Destination string `placeholder:"QUEUE" help:"Queue to move to. Default: each message to the queue that it came from."`
	Rate        int    `placeholder:"N" help:"Messages per second, 1 to 500. Default: as fast as it goes."`
	Wait        bool   `help:"Follow the redrive until it ends."`
}

// Help adds to the usage.
func (cmd *QueueRedriveCmd) Help() string {
	return `The server moves the messages that are visible now, oldest first. Each gets a new id and a new time of sending.

The redrive goes on when this command has ended, also with --wait when it is interrupted. The exit status with --wait is 0 only if all was moved.`
}

// Run starts the redrive.
func (cmd *QueueRedriveCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	redrive, err := c.StartRedrive(ctx, cmd.Name, client.StartRedrive{Destination: cmd.Destination, Rate: cmd.Rate})
	if err != nil {
		return err
	}
	if !g.JSON {
		fmt.Fprintf(g.Stdout, "redrive %s moves %d messages; to end it: tusq queue cancel-redrive %s\n", redrive.ID, redrive.ToMove, redrive.ID)
	}
	if cmd.Wait {
		return followRedrive(ctx, g, redrive)
	}
	if g.JSON {
		return g.printJSON(redrive)
	}
	return nil
}

// followRedrive shows a redrive's progress until it ends, and then how.
func followRedrive(ctx context.Context, g *Globals, redrive client.Redrive) error {
	notes := &notes{out: g.Stderr}
	notes.startProgress(redrive.ToMove, false)
	defer notes.done()
	c, err := g.client(streamRetry, client.WithRetryNotice(notes.retrying))
	if err != nil {
		return err
	}
	for id := redrive.ID; !redrive.Ended(); {
		notes.progress(redrive.Moved, string(redrive.Status))
		pause(ctx, redrivePause)
		if redrive, err = c.GetRedrive(ctx, id); err != nil {
			if ctx.Err() != nil {
				err = errInterrupted
			}
			return fmt.Errorf("%w: redrive %s goes on; to end it: tusq queue cancel-redrive %s", err, id, id)
		}
	}
	notes.done()
	return g.printEnded(redrive)
}

// printEnded tells how a redrive has ended: all but its completion is an error.
func (g *Globals) printEnded(redrive client.Redrive) error {
	if g.JSON {
		if err := g.printJSON(redrive); err != nil {
			return err
		}
	}
	switch redrive.Status {
	case client.RedriveCompleted:
		if g.JSON {
			return nil
		}
		_, err := fmt.Fprintf(g.Stdout, "moved %d messages\n", redrive.Moved)
		return err
	case client.RedriveFailed:
		return fmt.Errorf("the redrive failed after %d messages: %s", redrive.Moved, redrive.Failure)
	default:
		return fmt.Errorf("the redrive was %s after %d messages", redrive.Status, redrive.Moved)
	}
}

// QueueRedrivesCmd lists redrives.
type QueueRedrivesCmd struct {
	Name string `arg:"" help:"Dead-letter queue."`
	Max  int    `default:"20" placeholder:"N" help:"Redrives at most: 1 to 1000, default 20."`
}

// Run prints the redrives.
func (cmd *QueueRedrivesCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	redrives, err := c.ListRedrives(ctx, cmd.Name, cmd.Max)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	if !g.JSON {
		fmt.Fprintln(table, "ID\tSTARTED\tSTATUS\tMOVED\tDESTINATION")
	}
	for _, redrive := range redrives {
		if g.JSON {
			err = g.printJSON(redrive)
		} else {
			_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%d of %d\t%s\n", redrive.ID,
				redrive.StartedAt.Format(time.RFC3339), redriveStatusText(redrive), redrive.Moved, redrive.ToMove, destinationText(redrive))
		}
		if err != nil {
			return err
		}
	}
	return table.Flush()
}

func redriveStatusText(redrive client.Redrive) string {
	if redrive.Failure != "" {
		return fmt.Sprintf("%s: %s", redrive.Status, redrive.Failure)
	}
	return string(redrive.Status)
}

func destinationText(redrive client.Redrive) string {
	text := redrive.Destination
	if text == "" {
		text = "(origins)"
	}
	if redrive.Rate > 0 {
		text += fmt.Sprintf(" at %d/s", redrive.Rate)
	}
	return text
}

// QueueCancelRedriveCmd cancels a redrive.
type QueueCancelRedriveCmd struct {
	ID string `arg:"" help:"Id of the redrive."`
}

// Run cancels the redrive.
func (cmd *QueueCancelRedriveCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	redrive, err := c.CancelRedrive(ctx, cmd.ID)
	switch {
	case err != nil:
		return err
	case g.JSON:
		return g.printJSON(redrive)
	}
	_, err = fmt.Fprintf(g.Stdout, "the redrive ends; it has moved %d of %d messages\n", redrive.Moved, redrive.ToMove)
	return err
}
