package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tusq/client"
	"tusq/service"
)

// KeyCmd groups the commands on keys.
type KeyCmd struct {
	Create KeyCreateCmd `cmd:"" help:"Create a key, and print its secret and its token this once."`
	List   KeyListCmd   `cmd:"" help:"List the keys that are not revoked."`
	Rotate KeyRotateCmd `cmd:"" help:"Give a key another secret, and print it this once. The old one works on for a while."`
	Revoke KeyRevokeCmd `cmd:"" help:"Revoke a key, for ever, on all replicas within ten seconds."`
	Master KeyMasterCmd `cmd:"" help:"Print a new master key, for --master-key-file of tusq serve. Asks no server."`
	Token  KeyTokenCmd  `cmd:"" help:"Print the id, the secret and the token of a new key, for TUSQ_BOOTSTRAP_KEY. Asks no server."`
}

// KeyCreateCmd creates a key.
type KeyCreateCmd struct {
	Name    string        `required:"" help:"For people."`
	Role    string        `enum:",admin,operator,producer,consumer,viewer" default:"" placeholder:"ROLE" help:"What it may do: admin (everything), operator (all but keys and the audit log), producer (send), consumer (receive, delete, extend) or viewer (look at messages); all see queues."`
	Actions []string      `placeholder:"ACTION,..." help:"Instead of --role, in detail, such as send_messages,get_queue."`
	Queues  []string      `default:"*" placeholder:"NAME,..." help:"Queues that it is for: names, or beginnings that end with *."`
	Sources []string      `placeholder:"CIDR,..." help:"Networks that it may be used from. Absent: all."`
	Expires time.Duration `placeholder:"DURATION" help:"How long it works, such as 720h. Absent: until it is revoked."`
	Account string        `placeholder:"ID" help:"Account whose queues it is for. Absent: that of the caller."`
}

// Run creates the key.
func (cmd *KeyCreateCmd) Run(ctx context.Context, g *Globals) error {
	if (cmd.Role != "") == (len(cmd.Actions) > 0) {
		return errors.New("say what the key may do by one of --role or --actions")
	}
	actions := cmd.Actions
	if cmd.Role != "" {
		actions = service.ActionNames(service.RoleActions(cmd.Role))
	}
	if cmd.Expires < 0 || cmd.Expires%time.Second != 0 {
		return errors.New("--expires must be whole seconds")
	}
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	key, err := c.CreateKey(ctx, client.CreateKey{
		Name: cmd.Name, Account: cmd.Account, Actions: actions, Queues: cmd.Queues, Sources: cmd.Sources,
		ExpiresInSeconds: int(cmd.Expires.Seconds()),
	})
	if err != nil {
		return err
	}
	return g.printSecret("created key "+key.Name, key)
}

// printSecret prints a key with its secret.
func (g *Globals) printSecret(done string, key client.KeyWithSecret) error {
	if g.JSON {
		return g.printJSON(key)
	}
	_, err := fmt.Fprintf(g.Stdout, "%s. This is shown only now:\n  access key id      %s\n  secret access key  %s\n  token              %s\n",
		done, key.ID, key.Secret, key.Token)
	return err
}

// KeyListCmd lists keys.
type KeyListCmd struct {
	Account string `placeholder:"ID" help:"Account whose keys to list. Absent: that of the caller."`
}

// Run prints the keys.
func (cmd *KeyListCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	if !g.JSON {
		fmt.Fprintln(table, "ID\tNAME\tACTIONS\tQUEUES\tSOURCES\tEXPIRES\tLAST USED")
	}
	for key, err := range c.Keys(ctx, cmd.Account) {
		if err != nil {
			return err
		}
		if g.JSON {
			if err := g.printJSON(key); err != nil {
				return err
			}
			continue
		}
		sources := strings.Join(key.Sources, ",")
		if sources == "" {
			sources = "all"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", key.ID, key.Name, strings.Join(key.Actions, ","),
			strings.Join(key.Queues, ","), sources, timeText(key.ExpiresAt), timeText(key.LastUsedAt))
	}
	return table.Flush()
}

// timeText shows a time, or that there is none.
func timeText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// KeyRotateCmd gives a key another secret.
type KeyRotateCmd struct {
	ID    string        `arg:"" help:"The key's id."`
	Grace time.Duration `default:"24h" help:"How long the old secret works on: 0 ends it at once."`
}

// Run rotates the key.
func (cmd *KeyRotateCmd) Run(ctx context.Context, g *Globals) error {
	if cmd.Grace < 0 || cmd.Grace%time.Second != 0 {
		return errors.New("--grace must be whole seconds")
	}
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	key, err := c.RotateKey(ctx, cmd.ID, cmd.Grace)
	if err != nil {
		return err
	}
	done := "rotated key " + key.Name
	if !key.OldSecretUntil.IsZero() {
		done += ", whose old secret works until " + timeText(key.OldSecretUntil)
	}
	return g.printSecret(done, key)
}

// KeyRevokeCmd revokes a key.
type KeyRevokeCmd struct {
	ID string `arg:"" help:"The key's id."`
}

// Run revokes the key.
func (cmd *KeyRevokeCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	if err := c.RevokeKey(ctx, cmd.ID); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]string{"revoked": cmd.ID})
	}
	_, err = fmt.Fprintf(g.Stdout, "revoked key %s\n", cmd.ID)
	return err
}

// KeyMasterCmd makes a master key.
type KeyMasterCmd struct{}

// Run prints the master key.
func (cmd *KeyMasterCmd) Run(g *Globals) error {
	_, err := fmt.Fprintln(g.Stdout, service.NewMasterKey().Reveal())
	return err
}

// KeyTokenCmd makes credentials.
type KeyTokenCmd struct{}

// Run prints the credentials.
func (cmd *KeyTokenCmd) Run(g *Globals) error {
	made := service.NewCredentials()
	if g.JSON {
		return g.printJSON(map[string]string{"id": made.KeyID, "secret": made.Secret.Reveal(), "token": made.Token().Reveal()})
	}
	_, err := fmt.Fprint(g.Stdout, credentialsText(made))
	return err
}
