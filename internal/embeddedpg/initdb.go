package embeddedpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	superuser = "tusq"
	database  = "tusq"
)

// initdbArguments, each with its reason:
//
//   - checksums: a damaged page is an error, not a wrong message;
//   - locale C: text is compared as bytes, which is the fastest, and an index does not depend on the operating system's
//     collations, whose upgrades corrupt it silently;
//   - local trust: the socket's directory is the authentication (see socketDir);
//   - host reject: should anyone ever turn TCP on, nobody comes in that way without being let in by name.
var initdbArguments = []string{
	"--username=" + superuser,
	"--encoding=UTF8",
	"--locale=C",
	"--data-checksums",
	"--auth-local=trust",
	"--auth-host=reject",
	"--no-instructions",
}

// includeSettings is appended to the postgresql.conf that initdb wrote.
const includeSettings = `
# tusq's settings, which it writes anew at every start. What follows after this line wins over them, and so does ALTER SYSTEM.
include_if_exists = '` + settingsName + `'
`

// initialise makes a complete cluster with its database in the empty directory c.dir.
func (c cluster) initialise(ctx context.Context, opts Options) error {
	unsafe := opts.Settings["fsync"] == "off"
	args := append([]string{"--pgdata=" + c.dir}, initdbArguments...)
	if unsafe {
		args = append(args, "--no-sync")
	}
	if err := c.step(ctx, "", c.bin.initdb(), args...); err != nil {
		return err
	}
	if err := appendTo(filepath.Join(c.dir, "postgresql.conf"), includeSettings); err != nil {
		return fmt.Errorf("include the settings: %w", err)
	}
	// The single-user server goes on after a failed statement unless told otherwise.
	single := []string{"--single", "-D", c.dir, "-c", "exit_on_error=on"}
	if unsafe {
		single = append(single, "-c", "fsync=off")
	}
	return c.step(ctx, "CREATE DATABASE "+database+"\n", c.bin.postgres(), append(single, "template1")...)
}

// step runs one of PostgreSQL's programs to its end, in the cluster's directory, where removeUnfinished finds it.
func (c cluster) step(ctx context.Context, stdin, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	cmd := c.owner.command(ctx, syscall.SIGKILL, program, args...)
	cmd.Dir = c.dir
	cmd.Stdin = strings.NewReader(stdin)
	out, err := run(cmd)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, lastLines(out))
	}
	return nil
}

// lastLines shortens a program's output to what belongs in an error.
func lastLines(out string) string {
	lines := strings.Split(out, "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "; ")
}

// appendTo does not follow a symbolic link: this process may be root, and the directory is another user's.
func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
