package peer

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tusq/bench/report"
	"tusq/internal/process"
)

// Inserts is the limit of what any queue in PostgreSQL can do: rows are inserted, and that is all.
type Inserts struct {
	server *process.Postgres
}

// Series names it.
func (*Inserts) Series() report.Series {
	return report.Series{Name: report.Inserts, Title: "SQL inserts", Send: "committed"}
}

// Start starts PostgreSQL with an empty table.
func (s *Inserts) Start(ctx context.Context, dir string) (err error) {
	if s.server, err = process.StartPostgres(ctx, dir); err != nil {
		return err
	}
	db, err := pgx.Connect(ctx, s.server.URL())
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	_, err = db.Exec(ctx, "CREATE TABLE messages (id uuid PRIMARY KEY, body text NOT NULL)")
	return err
}

// Stop ends PostgreSQL.
func (s *Inserts) Stop() {
	if s.server != nil {
		s.server.Stop()
	}
}

// Connect opens a connection. It can only send.
func (s *Inserts) Connect(ctx context.Context, kind Kind) (Session, error) {
	if kind.Receives {
		return nil, errors.New("inserts are not received")
	}
	db, err := pgx.Connect(ctx, s.server.URL())
	if err != nil {
		return nil, err
	}
	return insertSession{db}, nil
}

type insertSession struct{ db *pgx.Conn }

// Send inserts the rows in one transaction.
func (s insertSession) Send(ctx context.Context, bodies []string) error {
	ids := make([]uuid.UUID, len(bodies))
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	var err error
	if len(bodies) == 1 {
		_, err = s.db.Exec(ctx, "INSERT INTO messages (id, body) VALUES ($1, $2)", ids[0], bodies[0])
	} else {
		_, err = s.db.Exec(ctx, "INSERT INTO messages (id, body) SELECT * FROM unnest($1::uuid[], $2::text[])", ids, bodies)
	}
	return err
}

// Receive is never called.
func (s insertSession) Receive(context.Context, int) ([]Delivery, error) { return nil, nil }

// Settle is never called.
func (s insertSession) Settle(context.Context, []Delivery) error { return nil }

// Close ends the connection.
func (s insertSession) Close() { _ = s.db.Close(context.Background()) }
