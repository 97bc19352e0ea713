package peer

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tusq/bench/report"
	"tusq/internal/process"
)

// NATSCommand is the argument that makes this program a NATS server: see ServeNATS.
const NATSCommand = "nats-server"

const (
	natsStream  = "BENCH"
	natsSubject = "bench"
	natsStart   = 20 * time.Second
)

// NATS is a JetStream work queue with one shared pull consumer. The server is the library of its project, in a process of its own:
// distributions have versions that cannot sync always.
type NATS struct {
	server  *process.Process
	address string
}

// Series names it.
func (*NATS) Series() report.Series {
	return report.Series{Name: "nats", Title: "NATS JetStream " + server.VERSION, Send: "fsynced (sync always)", Settle: "none: acks are not confirmed"}
}

// ServeNATS runs a server with its files in dir until ctx ends.
func ServeNATS(ctx context.Context, address, dir string) error {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{Host: host, Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true})
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	go s.Start()
	<-ctx.Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

// Start starts a server, and makes the stream and the consumer.
func (n *NATS) Start(ctx context.Context, dir string) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if n.address, err = process.FreeAddress(ctx); err != nil {
		return err
	}
	n.server, err = process.Start(dir, exec.CommandContext(context.WithoutCancel(ctx), self, NATSCommand, n.address, dir))
	if err != nil {
		return err
	}
	return n.server.WaitFor(ctx, natsStart, n.declare)
}

func (n *NATS) declare(ctx context.Context) error {
	connection, stream, err := n.open()
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = stream.CreateStream(ctx, jetstream.StreamConfig{Name: natsStream, Subjects: []string{natsSubject},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage})
	if err != nil {
		return err
	}
	_, err = stream.CreateConsumer(ctx, natsStream, jetstream.ConsumerConfig{Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy,
		MaxAckPending: 100 * prefetch})
	return err
}

func (n *NATS) open() (*nats.Conn, jetstream.JetStream, error) {
	connection, err := nats.Connect("nats://" + n.address)
	if err != nil {
		return nil, nil, err
	}
	stream, err := jetstream.New(connection)
	if err != nil {
		connection.Close()
		return nil, nil, err
	}
	return connection, stream, nil
}

// Stop ends the server.
func (n *NATS) Stop() {
	if n.server != nil {
		n.server.Stop()
	}
	n.server = nil
}

// Connect opens a connection.
func (n *NATS) Connect(ctx context.Context, kind Kind) (Session, error) {
	connection, stream, err := n.open()
	if err != nil {
		return nil, err
	}
	s := &natsSession{connection: connection, stream: stream, closing: make(chan struct{})}
	if kind.Receives {
		if err := s.consume(ctx); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

type natsSession struct {
	connection *nats.Conn
	stream     jetstream.JetStream
	pushed     chan jetstream.Msg
	closing    chan struct{}
}

// consume lets the client library pull ahead.
func (s *natsSession) consume(ctx context.Context) error {
	consumer, err := s.stream.Consumer(ctx, natsStream, "workers")
	if err != nil {
		return err
	}
	s.pushed = make(chan jetstream.Msg, prefetch)
	_, err = consumer.Consume(func(m jetstream.Msg) {
		select {
		case s.pushed <- m:
		case <-s.closing:
		}
	}, jetstream.PullMaxMessages(prefetch))
	return err
}

// Send publishes, and waits until all are acknowledged.
func (s *natsSession) Send(ctx context.Context, bodies []string) error {
	if len(bodies) == 1 {
		_, err := s.stream.Publish(ctx, natsSubject, []byte(bodies[0]))
		return err
	}
	answers := make([]jetstream.PubAckFuture, len(bodies))
	for i, body := range bodies {
		var err error
		if answers[i], err = s.stream.PublishAsync(natsSubject, []byte(body)); err != nil {
			return err
		}
	}
	for _, answer := range answers {
		select {
		case <-answer.Ok():
		case err := <-answer.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Receive takes what the library has pulled.
func (s *natsSession) Receive(ctx context.Context, limit int) ([]Delivery, error) {
	return take(ctx, s.pushed, limit, func(m jetstream.Msg) Delivery { return Delivery{Body: string(m.Data()), Handle: m} })
}

// Settle acknowledges each; the server does not answer.
func (s *natsSession) Settle(_ context.Context, deliveries []Delivery) error {
	var errs []error
	for _, d := range deliveries {
		message, _ := d.Handle.(jetstream.Msg)
		errs = append(errs, message.Ack())
	}
	return errors.Join(errs...)
}

// Close ends the connection.
func (s *natsSession) Close() {
	close(s.closing)
	s.connection.Close()
}
