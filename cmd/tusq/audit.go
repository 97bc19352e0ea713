package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tusq/client"
)

// AuditCmd prints the audit log.
type AuditCmd struct {
	Actor  string `placeholder:"NAME" help:"Only what this actor did or was refused."`
	Action string `placeholder:"ACTION" help:"Only this action, such as purge_queue."`
	Result string `placeholder:"RESULT" help:"Only this result: ok, or an error's code, such as forbidden."`
	Max    int    `default:"100" placeholder:"N" help:"Entries at most; 0: all. Default 100."`
}

// Run prints the entries, the newest first.
func (cmd *AuditCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	list := client.ListAudit{Actor: cmd.Actor, Action: cmd.Action, Result: cmd.Result, Limit: min(max(cmd.Max, 0), 1000)}
	table := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	if !g.JSON {
		fmt.Fprintln(table, "TIME\tACTOR\tACTION\tRESOURCE\tCLIENT\tRESULT\tDETAIL")
	}
	printed := 0
	for entry, err := range c.Audit(ctx, list) {
		switch {
		case err != nil:
			return err
		case g.JSON:
			err = g.printJSON(entry)
		default:
			_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", entry.At.UTC().Format(time.RFC3339), orDash(entry.Actor),
				entry.Action, orDash(entry.Resource), orDash(entry.Client), entry.Result, auditDetailText(entry.Detail))
		}
		if err != nil {
			return err
		}
		if printed++; printed == cmd.Max {
			break
		}
	}
	return table.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// auditDetailText tells an entry's detail in one line.
func auditDetailText(detail client.AuditDetail) string {
	var text []string
	if detail.Count > 1 {
		text = append(text, fmt.Sprintf("%d times", detail.Count))
	}
	if len(detail.Settings) > 0 {
		text = append(text, "settings="+strings.Join(detail.Settings, ","))
	}
	if detail.Messages > 0 {
		text = append(text, fmt.Sprintf("messages=%d", detail.Messages))
	}
	if detail.Redrive != "" {
		text = append(text, "redrive="+detail.Redrive)
	}
	if detail.Destination != "" {
		text = append(text, "destination="+detail.Destination)
	}
	if detail.Rate > 0 {
		text = append(text, fmt.Sprintf("rate=%d/s", detail.Rate))
	}
	return strings.Join(text, " ")
}
