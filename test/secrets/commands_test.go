package secrets

import (
	"regexp"
	"slices"
	"strings"

	"tusq/service"
	"tusq/test/canary"
)

var (
	token  = regexp.MustCompile(`tusq_TQ[A-Z2-7]{18}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}`)
	usages = regexp.MustCompile(`(?m)^  ([a-z][a-z -]*[a-z])(?: [<\[]|$)`)
)

// commands runs every command, well and badly, with the secrets in its environment.
func (w *world) commands() {
	w.t.Helper()
	help := w.run(command{args: []string{"--help"}})
	names := usages.FindAllStringSubmatch(help, -1)
	if len(names) < 15 {
		w.t.Errorf("the help names %d commands:\n%s", len(names), help)
	}
	for _, name := range names {
		w.run(command{args: append(strings.Fields(name[1]), "--help")})
	}
	for _, line := range []string{
		"--version", "migrate status", "migrate up", "fsck --json", "queue create lines", "queue list", "queue update lines --delay 0",
		"queue list --json", "key list", "key list --json", "user list",
	} {
		w.run(command{args: strings.Fields(line)})
	}
	for _, line := range []string{"doctor", "doctor --json", "bench --messages 20 --warm-up 0s --connections 2"} {
		w.run(command{args: strings.Fields(line), may: true}) // the database is not durable
	}
	w.run(command{args: strings.Fields("send lines --lines -"), stdin: w.body + "\n" + w.body + "\x01\n" + w.body + "\xff\n", fails: true})
	w.run(command{args: strings.Fields("receive lines --delete"), shows: true})
	w.run(command{args: strings.Fields("receive lines"), env: []string{"TUSQ_TOKEN=" + w.admin.Secret.Reveal()}, fails: true})
	w.run(command{args: strings.Fields("queue delete lines")})
	for _, line := range []string{"key create --name shop --role producer", "key token", "key token --json"} {
		made, ok := service.ParseCredentials(token.FindString(w.run(command{args: strings.Fields(line), shows: true})))
		if !ok {
			w.t.Fatalf("tusq %s shows no token", line)
		}
		w.learn("the key of "+line, made)
		if !strings.HasPrefix(line, "key create") {
			continue
		}
		again, _ := service.ParseCredentials(token.FindString(w.run(command{args: []string{"key", "rotate", made.KeyID}, shows: true})))
		w.learn("the rotated key of "+line, again)
		w.run(command{args: []string{"key", "revoke", made.KeyID}})
		w.run(command{args: []string{"key", "revoke", made.KeyID}, fails: true})
	}
	w.add("another master key", strings.TrimSpace(w.run(command{args: []string{"key", "master"}, shows: true})))
	password := w.secret("a password by command")
	w.run(command{args: strings.Fields("user create cat --action list_queues --queue *"), env: []string{"TUSQ_USER_PASSWORD=" + password}})
	w.run(command{args: strings.Fields("user passwd cat"), stdin: password + "more\n"})
	w.run(command{args: strings.Fields("user passwd nobody"), stdin: password + "\n", fails: true})
	w.run(command{args: strings.Fields("user delete cat")})
}

// badConfiguration starts commands with secrets that are wrong.
func (w *world) badConfiguration() {
	w.t.Helper()
	wrong := w.secret("a wrong database password")
	place := w.postgres.url[strings.LastIndex(w.postgres.url, "@"):]
	for _, url := range []string{
		"postgres://keeper:" + wrong + place, "postgres://keeper:%zz" + wrong + place, "postgres://keeper:" + wrong + "%" + place,
		"postgres://keeper:1/" + wrong + place, "postgres://keeper:a#" + wrong + place, "postgres://keeper:a?" + wrong + place, "postgres://keeper:a/" + wrong + place,
		"postgres://keeper:" + wrong + ":" + wrong + "@" + wrong + place, "postgres://keeper:" + wrong + " x" + place, "keeper:" + wrong + place,
		"host=127.0.0.1 port=1 user=keeper password=" + wrong, "host=127.0.0.1 port=x password=" + wrong, "host=127.0.0.1 password = '" + wrong,
		"host=127.0.0.1 port=1 password=a " + wrong, "postgres://keeper@127.0.0.1:1/queue?password=" + wrong, "postgres:/keeper:" + wrong + place, "mysql://keeper:" + wrong + place,
	} {
		for _, name := range []string{"migrate status", "doctor"} {
			w.run(command{args: strings.Fields(name), env: []string{"TUSQ_DATABASE_URL=" + url}, fails: true})
			w.run(command{args: strings.Fields(name), env: []string{"TUSQ_DATABASE_DIRECT_URL=" + url, "TUSQ_DATABASE_URL=" + url}, fails: true})
		}
	}
	serve := command{args: []string{"serve", "--auth", "on", "--log-level", "debug", "--listen", "127.0.0.1:0"}, fails: true}
	for _, env := range []string{
		"TUSQ_MASTER_KEY=" + w.masterKey + "x", "TUSQ_MASTER_KEY=" + w.masterKey + " " + wrong, "TUSQ_BOOTSTRAP_KEY=" + w.admin.Token().Reveal() + "x",
		"TUSQ_BOOTSTRAP_KEY=" + w.admin.KeyID + ":" + wrong, "TUSQ_LOG_LEVEL=debugging",
	} {
		serve.env = []string{env}
		w.run(serve)
	}
	file := w.dir + "/bad.key"
	write(w.t, file, w.masterKey+wrong)
	serve.env = []string{"TUSQ_MASTER_KEY=", "TUSQ_MASTER_KEY_FILE=" + file}
	w.run(serve)
	serve.env = []string{"TUSQ_TLS_CERT=" + w.keyFile, "TUSQ_TLS_KEY=" + file}
	w.run(serve)
	for _, url := range []string{"http://keeper:" + wrong + "@127.0.0.1:1", "http://keeper:%zz" + wrong + "@127.0.0.1:1", "ftp://keeper:" + wrong + "@x", "http://keeper:1/" + wrong + "@x"} {
		w.run(command{args: strings.Fields("queue list"), env: []string{"TUSQ_URL=" + url}, fails: true})
	}
}

// Where secrets are looked for in ways of their own.
const (
	theTables    = "the tables"
	theProcesses = "the list of processes"
)

// search looks for all secrets in all that was seen.
func (w *world) search() {
	w.t.Helper()
	for where, text := range w.seen {
		secrets := &w.secrets
		if where == theTables {
			secrets = &w.sealed
		}
		found := secrets.Find(text)
		switch where {
		case theTables: // which keep a password's hash
			found = slices.DeleteFunc(found, func(seen canary.Sighting) bool { return seen.Secret == "a password's hash" })
		case theProcesses: // among them are those of others
			found = secrets.FindKnown(text)
		}
		for _, seen := range found {
			w.t.Errorf("%s: %v", where, seen)
		}
	}
}
