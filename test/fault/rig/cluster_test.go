package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/client"
)

// binary is the tusq that the tests run.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tusq-rig-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tusq")
	if out, err := exec.Command("go", "build", "-C", "../../..", "-o", binary, "./cmd/tusq").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tusq: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func startCluster(t *testing.T, replicas int) *Cluster {
	t.Helper()
	began := time.Now()
	c, err := StartCluster(t.Context(), Options{
		Dir: filepath.Join(place(t), "cluster"), Binary: binary, Balancer: "../../../deploy/haproxy.cfg", Replicas: replicas,
		Flags: []string{"--drain-delay", "500ms"},
	})
	must(t, err)
	t.Logf("started within %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(c.Close)
	return c
}

// api is a client without retries.
func api(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(url, client.WithRetry(0))
	must(t, err)
	return c
}

// TestEveryFaultHeals injects each fault once, and asks for an acknowledged send when it is healed.
func TestEveryFaultHeals(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2)
	clients := api(t, c.URL())
	_, _, err := clients.CreateQueue(t.Context(), client.CreateQueue{Name: "work"})
	must(t, err)
	keepSending(t, c.BalancerURL())
	r := rand.New(rand.NewPCG(5, 0))
	sent := 0
	for _, f := range Faults() {
		began := time.Now()
		var disturbed error
		what := injectBriefly(t, c, f, r, func(ctx context.Context) {
			_, disturbed = clients.Send(ctx, "work", client.SendMessage{Body: "disturbed"})
		})
		must(t, c.Ready(t.Context()))
		eventually(t, "a send is acknowledged after "+what, func() bool {
			tried, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := clients.Send(tried, "work", client.SendMessage{Body: "healed"})
			return err == nil
		})
		sent++
		t.Logf("%s (%v): healed after %v", what, disturbed, time.Since(began).Round(10*time.Millisecond))
	}
	var there int
	must(t, c.Postgres.QueryRow(t.Context(), []any{&there}, "SELECT count(*) FROM messages WHERE body = 'healed'"))
	if there < sent {
		t.Errorf("%d messages are there of %d acknowledged", there, sent)
	}
}

// injectBriefly injects a fault for a moment, again where there was nobody in it whom it could hit, and heals it.
func injectBriefly(t *testing.T, c *Cluster, f Fault, r *rand.Rand, meanwhile func(context.Context)) (what string) {
	t.Helper()
	for tries := 1; ; tries++ {
		injected, err := f.Inject(t.Context(), c, r)
		if err == nil {
			harm, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			meanwhile(harm)
			<-harm.Done() // it needs its time
			cancel()
			err = injected.Heal(t.Context())
		}
		if tries < 10 && errors.Is(err, ErrNoEffect) {
			continue
		}
		must(t, err)
		return injected.What
	}
}

// keepSending gives the flushes something to do until the test's end.
func keepSending(t *testing.T, url string) {
	ctx, cancel := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		senders.Wait()
	})
	for range 4 {
		sender := api(t, url)
		senders.Go(func() {
			pause := time.NewTicker(5 * time.Millisecond)
			defer pause.Stop()
			for ctx.Err() == nil {
				_, _ = sender.Send(ctx, "work", client.SendMessage{Body: "load"}) // fails under most faults
				<-pause.C
			}
		})
	}
}

// inject injects a fault by its name; the returned function heals it.
func inject(t *testing.T, c *Cluster, name string) (heal func()) {
	t.Helper()
	f, err := FaultNamed(name)
	must(t, err)
	injected, err := f.Inject(t.Context(), c, rand.New(rand.NewPCG(1, 1)))
	must(t, err)
	return func() {
		t.Helper()
		must(t, injected.Heal(t.Context()))
		must(t, c.Ready(t.Context()))
	}
}

// TestFaultsDoHarm looks at what clients, replicas and PostgreSQL see of some.
func TestFaultsDoHarm(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1)
	replica := c.Replicas[0]
	for _, name := range []string{"kill replica", "kill all replicas", "pause replica", "black hole", "kill postgres"} {
		heal := inject(t, c, name)
		// On a busy machine some threads of a process that is to stop go on for a moment.
		eventually(t, name+": the replica is not ready", func() bool { return replica.Ready(t.Context()) != nil })
		heal()
	}
	heal := inject(t, c, "exhaust connections")
	if connection, err := pgx.Connect(t.Context(), c.Postgres.URL()); err == nil {
		t.Error("one more connection is accepted", connection.Close(t.Context()))
	}
	heal()
	must(t, c.Front.Add(Toxic{Type: "limit_data", Stream: downstream, Attributes: map[string]any{"bytes": 0}}))
	if err := answers(t.Context(), c.URL()); err == nil {
		t.Error("an answer passed")
	}
	must(t, c.Heal(t.Context()))
	eventually(t, "answers pass again", func() bool { return answers(t.Context(), c.URL()+"/readyz") == nil })
	heal = inject(t, c, "queue for a lock")
	eventually(t, "the change waits for the reader", func() bool {
		var waits bool
		err := c.Postgres.QueryRow(t.Context(), []any{&waits}, "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted)")
		return err == nil && waits
	})
	heal()
}

// TestRepeatFailsWhereNothingWorked so that no fault is a mere name.
func TestRepeatFailsWhereNothingWorked(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tried := make(chan struct{}, 1)
	stop := repeat(t.Context(), time.Millisecond, func(context.Context) error {
		select {
		case tried <- struct{}{}:
		default:
		}
		return broken
	})
	<-tried
	<-tried
	if err := stop(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
