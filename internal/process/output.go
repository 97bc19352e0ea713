package process

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Output runs a command that was made with a context to its end, and returns its standard output. It is killed when that
// context ends. What it wrote to its standard error is in the error.
func Output(command *exec.Cmd) ([]byte, error) {
	var out, notes bytes.Buffer
	command.Stdout, command.Stderr = &out, &notes
	command.SysProcAttr = attributes()
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		said := strings.TrimSpace(notes.String())
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(command.Path), err, said[max(0, len(said)-500):])
	}
	return out.Bytes(), nil
}
