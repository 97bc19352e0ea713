package peer

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"tusq/bench/report"
	"tusq/internal/process"
)

const (
	redisStream = "bench"
	redisGroup  = "workers"
	redisStart  = 20 * time.Second
)

// Redis is a stream with one consumer group.
type Redis struct {
	server  *process.Process
	address string
}

// Series names it.
func (*Redis) Series() report.Series {
	return report.Series{Name: "redis", Title: "Redis " + redisVersion() + ", stream", Send: "fsynced (appendfsync always)", Settle: "fsynced"}
}

// redisVersion asks the program. Empty: not installed.
func redisVersion() string {
	path, err := process.Find("redis-server")
	if err != nil {
		return ""
	}
	said, _ := exec.CommandContext(context.Background(), path, "--version").Output()
	_, version, _ := strings.Cut(string(said), "v=")
	version, _, _ = strings.Cut(version, " ")
	return version
}

// Start starts a server, and makes the stream and the group.
func (r *Redis) Start(ctx context.Context, dir string) (err error) {
	path, err := process.Find("redis-server")
	if err != nil {
		return err
	}
	if r.address, err = process.FreeAddress(ctx); err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(r.address)
	r.server, err = process.Start(dir, exec.CommandContext(context.WithoutCancel(ctx), path, "--bind", host, "--port", port, "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", ""))
	if err != nil {
		return err
	}
	db := r.open()
	defer db.Close() //nolint:errcheck // what was made stays
	return r.server.WaitFor(ctx, redisStart, func(ctx context.Context) error {
		return db.XGroupCreateMkStream(ctx, redisStream, redisGroup, "0").Err()
	})
}

func (r *Redis) open() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.address, PoolSize: 1, MaxRetries: -1, DisableIdentity: true})
}

// Stop ends the server.
func (r *Redis) Stop() {
	if r.server != nil {
		r.server.Stop()
	}
	r.server = nil
}

// Connect opens a connection. Each is a consumer of its own.
func (r *Redis) Connect(context.Context, Kind) (Session, error) {
	db := r.open()
	return &redisSession{db: db, consumer: uuid.NewString()}, nil
}

type redisSession struct {
	db       *redis.Client
	consumer string
}

// Send adds entries in one round trip.
func (s *redisSession) Send(ctx context.Context, bodies []string) error {
	_, err := s.db.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, body := range bodies {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: redisStream, Values: []string{"body", body}})
		}
		return nil
	})
	return err
}

// Receive reads new entries for the group.
func (s *redisSession) Receive(ctx context.Context, limit int) ([]Delivery, error) {
	streams, err := s.db.XReadGroup(ctx, &redis.XReadGroupArgs{Group: redisGroup, Consumer: s.consumer, Streams: []string{redisStream, ">"},
		Count: int64(limit), Block: receiveWait}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var deliveries []Delivery
	for _, message := range streams[0].Messages {
		body, _ := message.Values["body"].(string)
		deliveries = append(deliveries, Delivery{Body: body, Handle: message.ID})
	}
	return deliveries, nil
}

// Settle takes entries from the group and out of the stream.
func (s *redisSession) Settle(ctx context.Context, deliveries []Delivery) error {
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i], _ = d.Handle.(string)
	}
	_, err := s.db.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.XAck(ctx, redisStream, redisGroup, ids...)
		pipe.XDel(ctx, redisStream, ids...)
		return nil
	})
	return err
}

// Close ends the connection.
func (s *redisSession) Close() { _ = s.db.Close() }
