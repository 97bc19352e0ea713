package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"tusq/client"
)

// UserCmd groups the commands on the console's users.
type UserCmd struct {
	Create UserCreateCmd `cmd:"" help:"Create a user of the console, with no more rights than your own."`
	List   UserListCmd   `cmd:"" help:"List the users with their rights."`
	Passwd UserPasswdCmd `cmd:"" help:"Set a user's password, which ends the user's sessions."`
	Delete UserDeleteCmd `cmd:"" help:"Delete a user, which ends the user's sessions, without asking."`
}

// UserCreateCmd creates a user.
type UserCreateCmd struct {
	Name    string   `arg:"" help:"1 to 64 letters, digits and . _ @ + -, the first of which is a letter or a digit."`
	Actions []string `name:"action" required:"" placeholder:"ACTION,..." help:"What the user may do, such as list_queues,get_queue,peek_messages."`
	Queues  []string `name:"queue" required:"" placeholder:"QUEUE,..." help:"With which queues: names, or beginnings of names that end with *."`
}

// Help tells where the password comes from.
func (*UserCreateCmd) Help() string { return passwordHelp }

const passwordHelp = "The password, 12 characters at least, is TUSQ_USER_PASSWORD, or is asked for on a terminal, or is the first line of the standard input."

// Run creates the user.
func (cmd *UserCreateCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	password, err := g.newPassword(ctx)
	if err != nil {
		return err
	}
	user, err := c.CreateUser(ctx, client.CreateUser{Name: cmd.Name, Password: password, Actions: cmd.Actions, Queues: cmd.Queues})
	switch {
	case err != nil:
		return err
	case g.JSON:
		return g.printJSON(user)
	}
	_, err = fmt.Fprintf(g.Stdout, "created user %s\n", user.Name)
	return err
}

// UserListCmd lists users.
type UserListCmd struct{}

// Run prints the users.
func (*UserListCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	if !g.JSON {
		fmt.Fprintln(table, "NAME\tQUEUES\tACTIONS")
	}
	for user, err := range c.Users(ctx) {
		switch {
		case err != nil:
			return err
		case g.JSON:
			if err := g.printJSON(user); err != nil {
				return err
			}
		default:
			fmt.Fprintf(table, "%s\t%s\t%s\n", user.Name, strings.Join(user.Queues, ","), strings.Join(user.Actions, ","))
		}
	}
	return table.Flush()
}

// UserPasswdCmd sets a password.
type UserPasswdCmd struct {
	Name string `arg:"" help:"User whose password to set."`
}

// Help tells where the password comes from.
func (*UserPasswdCmd) Help() string { return passwordHelp }

// Run sets the password.
func (cmd *UserPasswdCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	password, err := g.newPassword(ctx)
	if err != nil {
		return err
	}
	user, err := c.UpdateUser(ctx, cmd.Name, client.UpdateUser{Password: &password})
	switch {
	case err != nil:
		return err
	case g.JSON:
		return g.printJSON(user)
	}
	_, err = fmt.Fprintf(g.Stdout, "set the password of user %s\n", user.Name)
	return err
}

// UserDeleteCmd deletes a user.
type UserDeleteCmd struct {
	Name string `arg:"" help:"User to delete."`
}

// Run deletes the user.
func (cmd *UserDeleteCmd) Run(ctx context.Context, g *Globals) error {
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	if err := c.DeleteUser(ctx, cmd.Name); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]string{"deleted": cmd.Name})
	}
	_, err = fmt.Fprintf(g.Stdout, "deleted user %s\n", cmd.Name)
	return err
}

// newPassword reads a password: from the environment; on a terminal, where it is asked for
// twice and not shown; or else from the first line of the standard input. It is never an
// argument, which everybody on the machine could see.
func (g *Globals) newPassword(ctx context.Context) (string, error) {
	if password, given := os.LookupEnv("TUSQ_USER_PASSWORD"); given {
		return password, nil
	}
	if f, ok := g.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return g.askPassword(ctx, int(f.Fd()))
	}
	line, err := bufio.NewReader(io.LimitReader(g.Stdin, 4<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// askPassword asks twice. Who interrupts it gets the terminal back as it was.
func (g *Globals) askPassword(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	var typed [2]string
	for i, prompt := range []string{"New password: ", "Again: "} {
		fmt.Fprint(g.Stderr, prompt)
		read := make(chan error, 1)
		go func() { // which ends with the process where it is interrupted
			line, err := term.ReadPassword(terminal)
			typed[i] = string(line)
			read <- err
		}()
		select {
		case <-ctx.Done():
			_ = term.Restore(terminal, before)
			return "", context.Cause(ctx)
		case err = <-read:
		}
		fmt.Fprintln(g.Stderr)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
	}
	if typed[0] != typed[1] {
		return "", errors.New("what was typed the second time differs")
	}
	return typed[0], nil
}
