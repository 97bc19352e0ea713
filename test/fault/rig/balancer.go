package rig

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tusq/internal/process"
)

// places is how many replicas deploy/haproxy.cfg knows.
const places = 3

// Balancer is the load balancer in front of the replicas.
type Balancer struct {
	address string
	control string // where it answers questions about itself
	server  *child
}

// StartBalancer starts haproxy with the configuration that docker-compose.yml uses. It does not wait for replicas.
func StartBalancer(ctx context.Context, config, log string, replicas []*Replica) (*Balancer, error) {
	program, err := process.Find("haproxy")
	if err != nil {
		return nil, fmt.Errorf("%w: run make setup-test", err)
	}
	if config, err = filepath.Abs(config); err != nil {
		return nil, err
	}
	addresses := make([]string, places+2) // the last two are its own; a place without replica is down
	for i := range addresses {
		if i < len(replicas) {
			addresses[i] = replicas[i].Address()
		} else if addresses[i], err = process.FreeAddress(ctx); err != nil {
			return nil, err
		}
	}
	control := log + ".cfg"
	text := fmt.Sprintf("global\n    stats socket ipv4@%s level user\n", addresses[places+1])
	if err := os.WriteFile(control, []byte(text), 0o644); err != nil {
		return nil, err
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), program, "-db", "-f", control, "-f", config)
	command.Env = append(os.Environ(), "TUSQ_FRONTEND="+addresses[places])
	for i, address := range addresses[:places] {
		command.Env = append(command.Env, fmt.Sprintf("TUSQ_REPLICA%d=%s", i+1, address))
	}
	command.SysProcAttr = endWithParent()
	server, err := start(command, log)
	if err != nil {
		return nil, err
	}
	return &Balancer{address: addresses[places], control: addresses[places+1], server: server}, nil
}

// Address is where it listens.
func (b *Balancer) Address() string { return b.address }

// Ready returns when it forwards requests to a replica that is ready.
func (b *Balancer) Ready(ctx context.Context) error {
	return b.server.waitFor(ctx, func(ctx context.Context) error { return answers(ctx, "http://"+b.address+"/readyz") })
}

// Uses returns when it sends requests to a replica.
func (b *Balancer) Uses(ctx context.Context, r *Replica) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return b.server.waitFor(ctx, func(ctx context.Context) error {
		status, err := b.status(ctx, r.Name)
		if err == nil && status != "UP" {
			err = fmt.Errorf("the load balancer sees %s as %s", r.Name, status)
		}
		return err
	})
}

// status is what haproxy thinks of a server: see "show stat" in its management guide.
func (b *Balancer) status(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", b.control)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	deadline, _ := ctx.Deadline()
	if err := connection.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(connection, "show stat"); err != nil {
		return "", err
	}
	const statusColumn = 17
	for lines := bufio.NewScanner(connection); lines.Scan(); {
		columns := strings.Split(lines.Text(), ",")
		if len(columns) > statusColumn && columns[1] == name {
			return columns[statusColumn], nil
		}
	}
	return "", fmt.Errorf("the load balancer knows no %s", name)
}

// Stop ends it.
func (b *Balancer) Stop() { b.server.kill() }
