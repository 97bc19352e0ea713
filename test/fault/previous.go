package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// errNoHistory says that the version before this one cannot be had.
var errNoHistory = errors.New("the repository's history does not have the previous version: fetch all of it, or name a revision by -previous")

// buildPrevious builds the tusq of an earlier revision, and returns that. A revision of "" is the one before the newest migration was added.
func buildPrevious(ctx context.Context, module, revision, binary string) (string, error) {
	var err error
	if revision == "" {
		revision, err = beforeNewestMigration(ctx, module)
	} else {
		revision, err = git(ctx, module, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoHistory, err)
	}
	source, err := os.MkdirTemp("", "tusq-previous-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(source)
	archive := filepath.Join(source, "source.tar")
	if _, err := git(ctx, module, "archive", "--output="+archive, revision); err != nil {
		return "", fmt.Errorf("%w: %w", errNoHistory, err)
	}
	if _, err := output(exec.CommandContext(ctx, "tar", "-xf", archive, "-C", source)); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./cmd/tusq")
	build.Dir, build.Env = source, append(os.Environ(), "GOWORK=off")
	_, err = output(build)
	return revision, err
}

// beforeNewestMigration is the parent of the commit that added the newest migration.
func beforeNewestMigration(ctx context.Context, module string) (string, error) {
	all, _ := fs.Glob(os.DirFS(module), "migrations/*.up.sql") // the pattern is valid: it cannot fail
	if len(all) == 0 {
		return "", fmt.Errorf("%s has no migrations", module)
	}
	shallow, err := git(ctx, module, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return "", err
	}
	if shallow != "false" { // it seems to have added all files in the oldest commit that it has
		return "", errors.New("the clone is shallow")
	}
	newest := slices.Max(all)
	added, err := git(ctx, module, "log", "--diff-filter=A", "--format=%H", "--max-count=1", "--", newest)
	if err != nil {
		return "", err
	}
	if added == "" {
		return "", fmt.Errorf("no commit has added %s", newest)
	}
	return git(ctx, module, "rev-parse", "--verify", added+"^1")
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...))
}

// output is what a program prints, without the white space around it; its complaints are in the error.
func output(command *exec.Cmd) (string, error) {
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w %s", strings.Join(command.Args, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return string(bytes.TrimSpace(out)), err
}
