package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"tusq/client"
)

// SendCmd sends messages.
type SendCmd struct {
	Queue    string `arg:"" help:"Queue to send to; created when it does not exist."`
	Body     []body `arg:"" optional:"" help:"Bodies, one message each. Prints the messages' ids."`
	Lines    string `placeholder:"FILE" help:"Send each line of a file, or of the standard input (-), as a message."`
	NoCreate bool   `help:"Do not create the queue."`

	Group           string `placeholder:"ID" help:"Group of the messages, whose order is kept. A FIFO queue needs it."`
	DeduplicationID string `placeholder:"ID" help:"Of one body to a FIFO queue, which takes an id once in five minutes. Default: the body's hash where the queue has content deduplication; otherwise each message has an id of its own."`
}

// body is a message's body as it was given. Kong's own decoding of a string would put
// other characters in the place of what is not UTF-8.
type body string

// Decode implements kong.MapperValue.
func (b *body) Decode(ctx *kong.DecodeContext) error {
	token, err := ctx.Scan.PopValue("body")
	if err == nil {
		*b = body(token.String())
	}
	return err
}

// Help adds to the usage.
func (cmd *SendCmd) Help() string {
	return `With --lines, a line is sent as it is, without its LF. Empty lines cannot be messages: they are skipped and counted. Lines that are longer than the queue's messages can be, not UTF-8, or hold control characters are refused by their number; everything else is sent, and the exit status is 1.

Batches are sent several at a time, so messages have only roughly the order of the lines; to a FIFO queue, one after the other in the order of the lines. When the server does not answer, batches are repeated for 30 seconds; a batch whose answer was lost is not stored twice.`
}

// Run sends the messages.
func (cmd *SendCmd) Run(ctx context.Context, g *Globals) error {
	if (len(cmd.Body) > 0) == (cmd.Lines != "") {
		return errors.New("give either bodies or --lines")
	}
	if cmd.DeduplicationID != "" && len(cmd.Body) != 1 {
		return errors.New("--deduplication-id is for one body")
	}
	if strings.HasSuffix(cmd.Queue, client.FIFOSuffix) && cmd.Group == "" {
		return errors.New("a FIFO queue needs --group")
	}
	queue, err := cmd.open(ctx, g)
	if err != nil {
		return err
	}
	if cmd.Lines == "" {
		return cmd.sendBodies(ctx, g, queue)
	}
	if cmd.Lines == "-" {
		return cmd.sendLines(ctx, g, queue, input{g.Stdin, -1})
	}
	file, err := os.Open(cmd.Lines)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		size = -1
	}
	return cmd.sendLines(ctx, g, queue, input{file, size})
}

// open returns the queue, and creates it where that is wanted.
func (cmd *SendCmd) open(ctx context.Context, g *Globals) (client.Queue, error) {
	c, err := g.client(adminRetry)
	if err != nil {
		return client.Queue{}, err
	}
	queue, err := c.GetQueue(ctx, cmd.Queue)
	if client.ErrorCode(err) != "queue_not_found" || cmd.NoCreate {
		return queue, err
	}
	queue, created, err := c.CreateQueue(ctx, client.CreateQueue{Name: cmd.Queue})
	if created {
		fmt.Fprintf(g.Stderr, "created queue %s\n", queue.Name)
	}
	return queue, err
}

// sendBodies sends the bodies that were given as arguments.
func (cmd *SendCmd) sendBodies(ctx context.Context, g *Globals, queue client.Queue) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	refused, number := 0, int64(0)
	newMessage := cmd.message(queue)
	for bodies := range slices.Chunk(cmd.Body, client.MaxBatch) {
		messages := make([]client.SendMessage, len(bodies))
		for i, text := range bodies {
			number++
			messages[i] = newMessage(string(text), number)
		}
		results, err := c.SendMany(ctx, cmd.Queue, messages)
		if err != nil {
			return err
		}
		for i, result := range results {
			if result.Err != nil {
				refused++
				fmt.Fprintf(g.Stderr, "body %q refused: %v\n", shorten(string(bodies[i])), result.Err)
			} else if err := cmd.printID(g, result.Sent); err != nil {
				return err
			}
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d messages refused", refused, len(cmd.Body))
	}
	return nil
}

// message returns what makes the messages to send of bodies and their numbers. To a FIFO
// queue that wants it, each number has a deduplication id, the same however often it is sent.
func (cmd *SendCmd) message(queue client.Queue) func(body string, number int64) client.SendMessage {
	prefix := ""
	if queue.FIFO && !queue.ContentDeduplication && cmd.DeduplicationID == "" {
		prefix = rand.Text() + "-"
	}
	return func(body string, number int64) client.SendMessage {
		m := client.SendMessage{Body: body, GroupID: cmd.Group, DeduplicationID: cmd.DeduplicationID}
		if prefix != "" {
			m.DeduplicationID = prefix + strconv.FormatInt(number, 10)
		}
		return m
	}
}

func (cmd *SendCmd) printID(g *Globals, sent client.Sent) error {
	if g.JSON {
		return g.printJSON(sent)
	}
	_, err := fmt.Fprintln(g.Stdout, sent.ID)
	return err
}

// shorten returns the beginning of a long text.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "..."
	}
	return text
}

// input is where lines come from, and its length where it is known, else -1.
type input struct {
	io.Reader
	size int64
}

// sendLines sends each line and reports at the end.
func (cmd *SendCmd) sendLines(ctx context.Context, g *Globals, queue client.Queue, in input) error {
	notes := &notes{out: g.Stderr}
	notes.startProgress(in.size, true)
	defer notes.done()
	c, err := g.client(streamRetry, client.WithRetryNotice(notes.retrying))
	if err != nil {
		return err
	}
	sender := &lineSender{client: c, queue: queue.Name, message: cmd.message(queue), notes: notes, atOnce: sendsAtOnce}
	if queue.FIFO {
		sender.atOnce = 1 // in the order of the lines
	}
	err = sender.run(ctx, newLineReader(in, queue.MaxMessageSize))
	notes.done()
	sum := sender.summary()
	if g.JSON {
		err = errors.Join(err, g.printJSON(sum))
	} else {
		notes.printf("%s", sum)
	}
	if err == nil && sum.Refused > 0 {
		err = fmt.Errorf("%d lines refused", sum.Refused)
	}
	return err
}

// String is the summary for people.
func (s sendSummary) String() string {
	text := fmt.Sprintf("sent %d messages (%d bytes) to %s in %.1f s", s.Sent, s.Bytes, s.Queue, s.Seconds)
	if s.Empty > 0 {
		text += fmt.Sprintf("; %d empty lines skipped", s.Empty)
	}
	if s.Refused > 0 {
		text += fmt.Sprintf("; %d lines refused", s.Refused)
	}
	return text
}
