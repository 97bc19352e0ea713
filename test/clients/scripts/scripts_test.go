//go:build clients

// Package scripts runs the clients of other languages against the real binary. Each has a
// script that checks what it does, and ends with an error where that is not as it should
// be. `make test-clients` installs the clients first.
package scripts

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// limit is the time of one script, all others running beside it.
const limit = 2 * time.Minute

// clients are the commands by their names. Debian's libraries are found by Debian's own
// interpreters only, and another may be first in PATH.
var clients = map[string][]string{
	"awscli":       {"/bin/sh", "awscli.sh"},
	"boto3":        {"/usr/bin/python3", "boto3_client.py"},
	"celery":       {"/usr/bin/python3", "celery_client.py"},
	"messenger":    {"/usr/bin/php", "messenger.php"},
	"perl":         {"/usr/bin/perl", "simple.pl"},
	"ruby":         {"/usr/bin/ruby", "sdk.rb"},
	"js":           {"node", "../js/sdk.mjs"},
	"sqs-consumer": {"node", "../js/consumer.mjs"},
	"sqs-producer": {"node", "../js/producer.mjs"},
}

// withoutKeys are the clients that a server without authentication is tested with: both
// protocols and presigned URLs. Those of Perl only work there, since AWS::Signature4 signs
// for the service s3 wherever the host is not one of Amazon's.
var withoutKeys = []string{"boto3", "celery", "js", "perl"}

// TestClients has clients sign with a key's secret, and be refused with a wrong one.
func TestClients(t *testing.T) {
	t.Parallel()
	server := serve(t, newKey(t))
	for name, command := range clients {
		if name == "perl" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, server, command)
		})
	}
}

// TestClientsWithoutKeys has clients sign with anything, which is not looked at.
func TestClientsWithoutKeys(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	for _, name := range withoutKeys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, server, clients[name])
		})
	}
}

// run runs a script to its end. A client that is not installed is a failure.
func run(t *testing.T, server server, command []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	script := exec.CommandContext(ctx, command[0], command[1:]...)
	script.Env = []string{ // no profiles, proxies or locales of the user's
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1",
		"AWS_ENDPOINT_URL=" + server.url, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + server.key.ID, "AWS_SECRET_ACCESS_KEY=" + server.key.Secret, "TUSQ_AUTH=" + server.auth,
	}
	// A group of its own, so that nothing that the script has started outlives it.
	script.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	script.Cancel = func() error { return syscall.Kill(-script.Process.Pid, syscall.SIGKILL) }
	script.WaitDelay = 5 * time.Second
	if out, err := script.CombinedOutput(); err != nil {
		t.Errorf("%v: %v (%v)\n%s\nWhat it needs is installed by test/install-clients.sh.", command, err, context.Cause(ctx), out)
	}
}

// dataDir is a directory for an embedded PostgreSQL, which may run as another user.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tusq-clients-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}
