package peer

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"tusq/bench/report"
	"tusq/internal/process"
)

const (
	rabbitQueue = "bench"
	rabbitStart = 60 * time.Second
)

// RabbitMQ is a single node with one queue of a type: classic (durable) or quorum.
type RabbitMQ struct {
	Type string

	names   *process.Process // epmd, Erlang's name server: otherwise the node starts one that outlives it
	server  *process.Process
	address string
}

// Series names it.
func (r *RabbitMQ) Series() report.Series {
	return report.Series{Name: "rabbitmq-" + r.Type, Title: "RabbitMQ " + rabbitVersion() + ", " + r.Type + " queue",
		Send: "fsynced (publisher confirm)", Settle: "none: AMQP does not confirm it"}
}

// Start starts a node and declares the queue.
func (r *RabbitMQ) Start(ctx context.Context, dir string) error {
	addresses, err := process.FreeAddresses(ctx, 3)
	if err != nil {
		return err
	}
	r.address = addresses[0]
	_, namesPort, _ := net.SplitHostPort(addresses[1])
	_, nodePort, _ := net.SplitHostPort(addresses[2])
	if err := r.startNames(ctx, dir, addresses[1], namesPort); err != nil {
		return err
	}
	if err := r.startNode(ctx, dir, namesPort, nodePort); err != nil {
		return err
	}
	return r.server.WaitFor(ctx, rabbitStart, r.declare)
}

func (r *RabbitMQ) startNames(ctx context.Context, dir, address, port string) error {
	path, err := process.Find("epmd")
	if err != nil {
		return err
	}
	r.names, err = process.Start(dir, exec.CommandContext(context.WithoutCancel(ctx), path, "-address", "127.0.0.1", "-port", port))
	if err != nil {
		return err
	}
	return r.names.WaitFor(ctx, rabbitStart, func(ctx context.Context) error { return process.Listening(ctx, address) })
}

func (r *RabbitMQ) startNode(ctx context.Context, dir, namesPort, nodePort string) error {
	script := rabbitScript()
	if script == "" {
		return errors.New("rabbitmq-server is not installed: run bench/install-peers.sh")
	}
	config := filepath.Join(dir, "rabbitmq.conf")
	// Flow control by free disk and memory is off: it would measure the machine's spare room.
	text := "listeners.tcp.local = " + r.address + "\ndisk_free_limit.absolute = 50MB\nvm_memory_high_watermark.relative = 0.8\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "enabled_plugins"), []byte("[].\n"), 0o600); err != nil {
		return err
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), script)
	command.Env = append(os.Environ(),
		"HOME="+dir,                  // for the cookie
		"RUNNING_UNDER_SYSTEMD=true", // the script becomes the server instead of waiting for it
		"ERL_EPMD_PORT="+namesPort,
		"RABBITMQ_NODENAME=tusq-bench@localhost",
		"RABBITMQ_DIST_PORT="+nodePort,
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_CONFIG_FILE="+config,
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"),
		"RABBITMQ_LOG_BASE="+dir,
		"RABBITMQ_LOGS=-",
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "rabbitmq.pid"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
	)
	var err error
	r.server, err = process.Start(dir, command)
	return err
}

// rabbitScript is the server's own script, not the wrapper in PATH, which changes the user. Empty: not installed.
func rabbitScript() string {
	found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

func rabbitVersion() string {
	_, version, _ := strings.Cut(filepath.Base(filepath.Dir(filepath.Dir(rabbitScript()))), "-")
	return version
}

// declare makes the queue.
func (r *RabbitMQ) declare(context.Context) error {
	connection, channel, err := r.open()
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // what was declared stays
	_, err = channel.QueueDeclare(rabbitQueue, true, false, false, false, amqp.Table{"x-queue-type": r.Type})
	return err
}

func (r *RabbitMQ) open() (*amqp.Connection, *amqp.Channel, error) {
	connection, err := amqp.Dial("amqp://guest:guest@" + r.address + "/")
	if err != nil {
		return nil, nil, err
	}
	channel, err := connection.Channel()
	if err != nil {
		return nil, nil, errors.Join(err, connection.Close())
	}
	return connection, channel, nil
}

// Stop ends the node.
func (r *RabbitMQ) Stop() {
	for _, p := range []*process.Process{r.server, r.names} {
		if p != nil {
			p.Stop()
		}
	}
	r.server, r.names = nil, nil
}

// Connect opens a connection with one channel.
func (r *RabbitMQ) Connect(_ context.Context, kind Kind) (Session, error) {
	connection, channel, err := r.open()
	if err != nil {
		return nil, err
	}
	s := &rabbitSession{connection: connection, channel: channel}
	if kind.Receives {
		if err = channel.Qos(prefetch, 0, false); err == nil {
			s.pushed, err = channel.Consume(rabbitQueue, "", false, false, false, false, nil)
		}
	} else {
		err = channel.Confirm(false)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

type rabbitSession struct {
	connection *amqp.Connection
	channel    *amqp.Channel
	pushed     <-chan amqp.Delivery
}

// Send publishes, and waits until all are confirmed.
func (s *rabbitSession) Send(ctx context.Context, bodies []string) error {
	confirms := make([]*amqp.DeferredConfirmation, len(bodies))
	for i, body := range bodies {
		var err error
		confirms[i], err = s.channel.PublishWithDeferredConfirmWithContext(ctx, "", rabbitQueue, true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
		if err != nil {
			return err
		}
	}
	for _, confirm := range confirms {
		switch ok, err := confirm.WaitContext(ctx); {
		case err != nil:
			return err
		case !ok:
			return errors.New("the server refused a message, or the connection was closed")
		}
	}
	return nil
}

// Receive takes what was pushed.
func (s *rabbitSession) Receive(ctx context.Context, limit int) ([]Delivery, error) {
	return take(ctx, s.pushed, limit, func(d amqp.Delivery) Delivery { return Delivery{Body: string(d.Body), Handle: d} })
}

// Settle acknowledges all with one frame: they were delivered in order.
func (s *rabbitSession) Settle(_ context.Context, deliveries []Delivery) error {
	last, _ := deliveries[len(deliveries)-1].Handle.(amqp.Delivery)
	return last.Ack(len(deliveries) > 1)
}

// Close ends the connection.
func (s *rabbitSession) Close() { _ = s.connection.Close() }
