package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tusq/internal/process"
)

// Replica is a `tusq serve` on a fixed address. Its methods must not be called concurrently.
type Replica struct {
	Name string

	address string
	command []string // program and arguments
	log     string
	server  *child
}

// NewReplica prepares a replica. What it prints is appended to the file log.
func NewReplica(ctx context.Context, name, log, binary string, flags ...string) (*Replica, error) {
	address, err := process.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	command := append([]string{binary, "serve", "--auth", "off", "--listen", address}, flags...)
	return &Replica{Name: name, address: address, command: command, log: log}, nil
}

// URL is where its clients find it.
func (r *Replica) URL() string { return "http://" + r.address }

// Use has it run another tusq from its next start on.
func (r *Replica) Use(binary string) { r.command[0] = binary }

// Address is where it listens.
func (r *Replica) Address() string { return r.address }

// Running tells whether it has been started and has not ended. One that is paused runs.
func (r *Replica) Running() bool { return r.server.running() }

// Log is the end of what it printed.
func (r *Replica) Log() string { return tail(r.log) }

// Start starts it and returns when it is ready. It is no error when it ends meanwhile, as it does when it finds no database: it
// is started again until ctx ends, or for two minutes, as a supervisor would.
func (r *Replica) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		err := r.startOnce(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			r.Kill()
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
}

func (r *Replica) startOnce(ctx context.Context) error {
	if r.Running() {
		return errors.New("it is running")
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), r.command[0], r.command[1:]...)
	command.SysProcAttr = endWithParent()
	server, err := start(command, r.log)
	if err != nil {
		return err
	}
	r.server = server
	return server.waitFor(ctx, r.Ready)
}

// Stop asks it to end (SIGTERM) and returns when it has, with an error when that is not clean.
func (r *Replica) Stop(ctx context.Context) error {
	if !r.Running() {
		return nil
	}
	if err := r.server.end(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	if r.server.err != nil {
		return fmt.Errorf("%s ended: %w; %s", r.Name, r.server.err, r.Log())
	}
	return nil
}

// Kill ends it without warning (SIGKILL) and returns when it has ended.
func (r *Replica) Kill() {
	if r.Running() {
		r.server.kill()
	}
}

// Pause freezes it (SIGSTOP): its connections stay open and silent.
func (r *Replica) Pause() {
	if r.Running() {
		r.server.signal(syscall.SIGSTOP)
	}
}

// Continue ends Pause.
func (r *Replica) Continue() {
	if r.Running() {
		r.server.signal(syscall.SIGCONT)
	}
}

// Ready is nil when it answers that it is ready.
func (r *Replica) Ready(ctx context.Context) error { return answers(ctx, r.URL()+"/readyz") }

// Metric is the value of a metric without labels since it was started.
func (r *Replica) Metric(ctx context.Context, name string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL()+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", r.Name, name)
}

// answers is nil when a GET is answered by 200 within a second.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
