package cluster

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tusq/client"
	"tusq/internal/pgtest"
)

// shown finds the token that tusq prints.
var shown = regexp.MustCompile(`tusq_TQ[A-Z2-7]{18}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}`)

// masterKey writes a new master key to a file.
func masterKey(t *testing.T) string {
	t.Helper()
	key, err := exec.CommandContext(t.Context(), binary, "key", "master").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Of three replicas that start together on an empty database, one prints an administrator's
// key, on its standard output alone. With it the commands manage keys.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	url, key := pgtest.New(t), masterKey(t)
	var replicas [3]*replica
	var printed [3]*bytes.Buffer
	for i := range replicas {
		address := freeAddress(t)
		command := exec.Command(binary, "serve", "--listen", address, "--auth", "on", "--database-url", url, "--master-key-file", key)
		printed[i] = new(bytes.Buffer)
		command.Stdout = printed[i]
		replicas[i] = &replica{child: start(t, command), address: address}
	}
	for _, r := range replicas {
		r.awaitReady()
	}
	base := replicas[0].url()
	for _, r := range replicas {
		r.signal(os.Interrupt)
		_ = r.wait(20 * time.Second)
	}
	var tokens []string
	for i, r := range replicas {
		tokens = append(tokens, shown.FindAllString(printed[i].String(), -1)...)
		if strings.Contains(r.log.String(), "tusq_TQ") {
			t.Errorf("the log has a token:\n%s", r.log)
		}
	}
	if len(tokens) != 1 {
		t.Fatalf("%d tokens were printed, want 1", len(tokens))
	}

	again := serve(t, strings.TrimPrefix(base, "http://"), "--auth", "on", "--database-url", url, "--master-key-file", key)
	if more := shown.FindString(again.log.String()); more != "" {
		t.Error("a second start has printed another key")
	}
	tusq := func(token string, args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), binary, append(args, "--url", base)...)
		command.Env = append(os.Environ(), "TUSQ_TOKEN="+token)
		out, err := command.CombinedOutput()
		return string(out), err
	}
	must := func(token string, args ...string) string {
		out, err := tusq(token, args...)
		if err != nil {
			t.Fatalf("tusq %v: %v\n%s", args, err, out)
		}
		return out
	}
	refused := func(token, code string, args ...string) {
		if out, err := tusq(token, args...); err == nil || !strings.Contains(out, code) {
			t.Errorf("tusq %v: %v\n%s\nwant %s", args, err, out, code)
		}
	}
	admin := tokens[0]
	must(admin, "queue", "create", "orders")
	made := shown.FindString(must(admin, "key", "create", "--name", "shop", "--role", "producer", "--queues", "orders,bills-*", "--expires", "720h", "--sources", "127.0.0.0/8"))
	must(made, "send", "orders", "hello")
	refused(made, "forbidden", "receive", "orders")
	refused("", "unauthenticated", "send", "orders", "hello")
	id := strings.Split(made, "_")[1]
	if list := must(admin, "key", "list"); !strings.Contains(list, id) || strings.Contains(list, "tusq_") {
		t.Errorf("the list is\n%s", list)
	}
	rotated := shown.FindString(must(admin, "key", "rotate", id, "--grace", "0s"))
	refused(made, "unauthenticated", "send", "orders", "hello")
	must(rotated, "send", "orders", "hello")
	must(admin, "key", "revoke", id)
	refused(rotated, "unauthenticated", "send", "orders", "hello")
}

// The first key may be given, and is not printed then.
func TestGivenBootstrapKey(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), binary, "key", "token").Output()
	if err != nil {
		t.Fatal(err)
	}
	token := shown.FindString(string(out))
	address := freeAddress(t)
	dir := dataDir(t)
	command := exec.Command(binary, "serve", "--listen", address, "--auth", "on", "--data-dir", dir)
	command.Env = append(os.Environ(), "TUSQ_BOOTSTRAP_KEY="+token)
	r := &replica{child: start(t, command), address: address}
	t.Cleanup(func() {
		r.signal(os.Interrupt)
		<-r.done
	})
	r.awaitReady()
	if strings.Contains(r.log.String(), token) {
		t.Error("the given key was printed")
	}
	if _, _, err := newClient(t, r.url(), client.WithToken(token)).CreateQueue(t.Context(), client.CreateQueue{Name: "orders"}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "master.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the master key: %v, %v", info, err)
	}
}
