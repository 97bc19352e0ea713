package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/internal/faultpoint"
)

// errUnread: an answer could not be understood, and the batch may have been committed.
var errUnread = errors.New("an answer was not understood")

// batch is statements that are carried out as one implicit transaction: all are sent
// together. It differs from pgx's own in that it tells when all have been carried out and
// PostgreSQL begins to commit. PostgreSQL keeps answers back until it has committed, unless it
// is asked for them before.
type batch struct {
	statements []*statement
	// known are the descriptions of statements that cannot be prepared, because a pooler lends
	// a connection for each transaction. The batch is then the rest of a transaction that was
	// begun, and commits it. nil: statements are prepared, and the batch is the transaction.
	known *descriptions
}

// statement is one of a batch, with what reads its answer.
type statement struct {
	sql  string
	args []any
	read func(pgx.Rows) error // nil: there is nothing to read
}

func (b *batch) queue(sql string, args ...any) *statement {
	s := &statement{sql: faultpoint.SQL(sql), args: args}
	b.statements = append(b.statements, s)
	return s
}

// rows has the answer's rows read.
func (s *statement) rows(read func(pgx.Rows) error) { s.read = read }

// row has the answer's only row read.
func (s *statement) row(read func(pgx.Row) error) {
	s.read = func(rows pgx.Rows) error {
		if !rows.Next() {
			return errors.Join(rows.Err(), pgx.ErrNoRows)
		}
		return read(rows)
	}
}

// run carries out the batch as it was described. It calls executed, if that is not nil, when
// the commit begins: it then waits for the disk, and another transaction can use the processor.
func (b *batch) run(ctx context.Context, conn *pgx.Conn, described []*pgconn.StatementDescription, executed func()) error {
	pipeline := conn.PgConn().StartPipeline(ctx)
	var params pgx.ExtendedQueryBuilder
	for i, s := range b.statements {
		if err := params.Build(conn.TypeMap(), described[i], s.args); err != nil {
			_ = conn.Close(ctx) // closing the pipeline would carry out what is in it
			return fmt.Errorf("encode parameters: %w", err)
		}
		formats := slices.Clone(params.ResultFormats)
		if b.known == nil {
			pipeline.SendQueryStatement(described[i], params.ParamValues, params.ParamFormats, formats)
		} else {
			pipeline.SendQueryParams(s.sql, params.ParamValues, described[i].ParamOIDs, params.ParamFormats, formats)
		}
		if err := faultpoint.Hit("repository.statement.queued"); err != nil {
			_ = conn.Close(ctx)
			return err
		}
	}
	if executed != nil || faultpoint.Planned() {
		pipeline.SendFlushRequest()
	}
	if b.known != nil {
		pipeline.SendQueryParams("COMMIT", nil, nil, nil, nil)
	}
	err := askForCommit(pipeline)
	if err == nil {
		err = b.readAnswers(pipeline, conn.TypeMap(), executed)
	}
	if err != nil && faultpoint.Planned() {
		_ = conn.Close(ctx) // a fault stands for the loss of the connection
	}
	if closeErr := pipeline.Close(); err == nil {
		err = closeErr
	}
	return err
}

// askForCommit sends all statements and has them committed. Where faults are planned the commit is
// asked for by readAnswers, so that there are points between the two.
func askForCommit(pipeline *pgconn.Pipeline) error {
	if faultpoint.Planned() {
		return pipeline.Flush()
	}
	return pipeline.Sync()
}

// describe returns the statements' descriptions: as they were prepared on the connection when
// first used there, or described on any.
func (b *batch) describe(ctx context.Context, conn *pgx.Conn) ([]*pgconn.StatementDescription, error) {
	described := make([]*pgconn.StatementDescription, len(b.statements))
	for i, s := range b.statements {
		var err error
		if b.known == nil {
			described[i], err = conn.Prepare(ctx, s.sql, s.sql)
		} else {
			described[i], err = b.known.of(ctx, conn, s.sql)
		}
		if err != nil {
			return nil, err
		}
	}
	return described, nil
}

// readAnswers reads the statements' answers, and then that of the commit.
func (b *batch) readAnswers(pipeline *pgconn.Pipeline, types *pgtype.Map, executed func()) error {
	for _, s := range b.statements {
		results, err := pipeline.GetResults()
		if err != nil {
			return err
		}
		reader, ok := results.(*pgconn.ResultReader)
		if !ok {
			return fmt.Errorf("%w: %T", errUnread, results)
		}
		if err := s.readAnswer(pgx.RowsFromResultReader(types, reader)); err != nil {
			return err
		}
		if err := faultpoint.Hit("repository.statement.answered"); err != nil {
			return err
		}
	}
	if executed != nil {
		executed()
	}
	if faultpoint.Planned() {
		if err := faultpoint.Hit("repository.commit.before"); err != nil {
			return err
		}
		if err := pipeline.Sync(); err != nil {
			return err
		}
	}
	if b.known != nil {
		if err := readCommit(pipeline); err != nil {
			return err
		}
	}
	if _, err := pipeline.GetResults(); err != nil {
		return err
	}
	return faultpoint.Hit("repository.commit.after")
}

// readCommit reads the answer to COMMIT, which is another word where PostgreSQL rolls back.
func readCommit(pipeline *pgconn.Pipeline) error {
	results, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	reader, ok := results.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("%w: %T", errUnread, results)
	}
	tag, err := reader.Close()
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("%w: %s", errUnread, tag)
	}
	return err
}

func (s *statement) readAnswer(rows pgx.Rows) error {
	defer rows.Close()
	if s.read != nil {
		if err := s.read(rows); err != nil {
			rows.Close()
			if rows.Err() != nil {
				return rows.Err()
			}
			return fmt.Errorf("%w: %w", errUnread, err)
		}
	}
	rows.Close()
	return rows.Err()
}
