package secrets

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	cryptorand "crypto/rand"

	"tusq/internal/pgtest"
	"tusq/internal/testcert"
	"tusq/service"
	"tusq/test/canary"
)

// world is two replicas, all their secrets, and all that was seen of them.
type world struct {
	t        *testing.T
	postgres *postgres
	line     *pgtest.Line // by which the first replica reaches PostgreSQL
	first    *replica     // HTTPS, logs JSON
	second   *replica     // HTTP, logs text
	http     *http.Client

	secrets canary.Cage // all
	sealed  canary.Cage // those that the database must not show either
	seen    map[string]string

	admin            service.Credentials
	masterKey        string
	body, sealedBody string
	attribute        string
	caFile, keyFile  string
	dir              string
	processes        *processList
}

// letters are what is left of a secret's name in the secret.
var letters = regexp.MustCompile(`[^A-Za-z]`)

// secret makes one, and puts it where the database must not show it either.
func (w *world) secret(name string) string {
	text := letters.ReplaceAllString(name, "") + cryptorand.Text()
	w.add(name, text)
	return text
}

func (w *world) add(name, secret string) {
	w.secrets.Add(name, secret)
	w.sealed.Add(name, secret)
}

// learn puts credentials in that tusq has made.
func (w *world) learn(name string, made service.Credentials) {
	w.add("secret of "+name, made.Secret.Reveal())
	w.add("token of "+name, made.Token().Reveal())
}

// shown puts text in that the tables of queues without encryption show.
func (w *world) shown(name string) string {
	text := letters.ReplaceAllString(name, "") + cryptorand.Text()
	w.secrets.Add(name, text)
	return text
}

// record keeps what was seen somewhere, to be searched at the end.
func (w *world) record(where, text string) {
	for w.seen[where] != "" {
		where += "'"
	}
	w.seen[where] = text
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, seen: map[string]string{}, dir: t.TempDir(), processes: watchProcesses(t)}
	w.admin = service.NewCredentials()
	w.learn("the administrator", w.admin)
	w.masterKey = service.NewMasterKey().Reveal()
	w.add("the master key", w.masterKey)
	w.body, w.attribute, w.sealedBody = w.shown("a body"), w.shown("an attribute"), w.secret("an encrypted body")
	w.makeCertificates()
	password := w.secret("the database's password")
	w.postgres = startPostgres(t, password)
	w.line = pgtest.NewLine(t, w.postgres.url)
	w.first = w.serve("https", w.line.URL, "--log-format", "json",
		"--tls-cert", filepath.Join(w.dir, "server.crt"), "--tls-key", w.keyFile)
	w.second = w.serve("http", w.postgres.url, "--log-format", "text")
	return w
}

// makeCertificates makes a CA, and the servers' certificate, whose key is a secret.
func (w *world) makeCertificates() {
	ca := testcert.New(w.t, "tests")
	pair := ca.Issue("127.0.0.1")
	_, w.keyFile = pair.Write(w.t, w.dir, "server")
	w.caFile = testcert.Write(w.t, w.dir, "ca.pem", ca.PEM)
	block, _ := pem.Decode(pair.Key)
	w.add("the TLS key", string(block.Bytes))
	for i, line := range strings.Split(strings.TrimSpace(string(pair.Key)), "\n") {
		if !strings.HasPrefix(line, "-----") {
			w.add(fmt.Sprint("line of the TLS key ", i), line)
		}
	}
	w.http = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}},
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// environment is that of every process: all secrets, and more.
func (w *world) environment(more ...string) []string {
	var clean []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TUSQ_") {
			clean = append(clean, variable)
		}
	}
	return append(append(clean,
		"TUSQ_MASTER_KEY="+w.masterKey, "TUSQ_BOOTSTRAP_KEY="+w.admin.Token().Reveal(),
		"TUSQ_TOKEN="+w.admin.Token().Reveal(), "TUSQ_CA_FILE="+w.caFile), more...)
}

// command is a command to run.
type command struct {
	args  []string
	env   []string // beside the usual
	stdin string
	shows bool // by design, secrets on its standard output: those alone are not searched
	fails bool
	may   bool // fail or not
}

// run runs a command to its end, keeps what it has written, and returns its standard output.
func (w *world) run(c command) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	process := exec.CommandContext(ctx, binary, c.args...)
	process.Env = w.environment(append([]string{"TUSQ_DATABASE_URL=" + w.postgres.url, "TUSQ_URL=" + w.first.url}, c.env...)...)
	process.Stdin = strings.NewReader(c.stdin)
	var out, notes bytes.Buffer
	process.Stdout, process.Stderr = &out, &notes
	err := process.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	if (err != nil) != c.fails && !c.may {
		w.t.Errorf("tusq %v: %v\n%s", c.args, err, notes.String())
	}
	name := "tusq " + strings.Join(c.args, " ")
	w.record(name+": standard error", notes.String())
	if !c.shows {
		w.record(name+": standard output", out.String())
	}
	return out.String()
}

// request is a request to make.
type request struct {
	method, url string
	headers     []string // names and values, in turn
	body        string
	token       string // none: the administrator's
	shows       bool   // by design, secrets in its answer, where that is no error
	echoes      bool   // its refusal names what the sender gave in the place of a name or of a number
	want        int    // the status; 0: any refusal; anyStatus
}

// ask makes a request, keeps its answer, and returns that.
func (w *world) ask(r request) string {
	w.t.Helper()
	made, err := http.NewRequestWithContext(w.t.Context(), r.method, r.url, strings.NewReader(r.body))
	must(w.t, err)
	if r.token == "" {
		r.token = w.admin.Token().Reveal()
	}
	made.Header.Set("Authorization", "Bearer "+r.token)
	made.Header.Set("Content-Type", "application/json")
	given := map[string]bool{}
	for i := 0; i+1 < len(r.headers); i += 2 {
		name := http.CanonicalHeaderKey(r.headers[i])
		if !given[name] {
			made.Header.Del(name)
		}
		given[name] = true
		made.Header.Add(name, r.headers[i+1])
	}
	exempt := searched
	switch {
	case r.echoes:
		exempt = echoes
	case r.shows:
		exempt = shows
	}
	return w.do(made, exempt, r.want)
}

// exempt says which answers are not searched.
type exempt int

const (
	searched exempt = iota // all are
	shows                  // one that is no error shows a secret by design
	echoes                 // one that is an error names what the sender gave in the place of a name or a number
)

// anyStatus is for request's want.
const anyStatus = -1

// do makes a request.
func (w *world) do(made *http.Request, not exempt, want int) string {
	w.t.Helper()
	answer, err := w.http.Do(made)
	must(w.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(w.t, err)
	if answer.StatusCode != want && want != anyStatus && (want != 0 || answer.StatusCode < 400) {
		w.t.Errorf("%s %s: status %d, want %d: %.300s", made.Method, made.URL.Path, answer.StatusCode, want, text)
	}
	failed := answer.StatusCode >= 400
	if not == searched || not == shows && failed || not == echoes && !failed {
		w.record(fmt.Sprintf("answer %d to %s %.60s", answer.StatusCode, made.Method, made.URL.Path), fmt.Sprint(answer.Header, "\n", string(text)))
	}
	return string(text)
}

// status is that of a GET, or 0 where there is no answer.
func (w *world) status(url string) int {
	answer, err := w.http.Get(url)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// field returns a field of a JSON object.
func (w *world) field(text, name string) string {
	w.t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		w.t.Fatalf("%v: %.300s", err, text)
	}
	value, ok := object[name].(string)
	if !ok {
		w.t.Fatalf("there is no %s: %.300s", name, text)
	}
	return value
}

// either is one of the two replicas.
func (w *world) either() string {
	return []string{w.first.url, w.second.url}[rand.IntN(2)]
}
