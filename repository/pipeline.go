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

// run carries out the batch. It calls executed, if that is not nil, when the commit begins: it
// then waits for the disk, and another transaction can use the processor.
func (b *batch) run(ctx context.Context, conn *pgx.Conn, executed func()) error {
	descriptions, err := b.prepare(ctx, conn)
	if err != nil {
		return err
	}
	pipeline := conn.PgConn().StartPipeline(ctx)
	var params pgx.ExtendedQueryBuilder
	for i, s := range b.statements {
		if err := params.Build(conn.TypeMap(), descriptions[i], s.args); err != nil {
			_ = conn.Close(ctx) // closing the pipeline would carry out what is in it
			return fmt.Errorf("encode parameters: %w", err)
		}
		pipeline.SendQueryStatement(descriptions[i], params.ParamValues, params.ParamFormats, slices.Clone(params.ResultFormats))
		if err := faultpoint.Hit("repository.statement.queued"); err != nil {
			_ = conn.Close(ctx)
			return err
		}
	}
	if executed != nil || faultpoint.Planned() {
		pipeline.SendFlushRequest()
	}
	err = sync(pipeline)
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

// sync sends all statements and has them committed. Where faults are planned the commit is
// asked for by readAnswers, so that there are points between the two.
func sync(pipeline *pgconn.Pipeline) error {
	if faultpoint.Planned() {
		return pipeline.Flush()
	}
	return pipeline.Sync()
}

// prepare returns the statements as they were prepared on the connection when first used.
func (b *batch) prepare(ctx context.Context, conn *pgx.Conn) ([]*pgconn.StatementDescription, error) {
	descriptions := make([]*pgconn.StatementDescription, len(b.statements))
	for i, s := range b.statements {
		var err error
		if descriptions[i], err = conn.Prepare(ctx, s.sql, s.sql); err != nil {
			return nil, err
		}
	}
	return descriptions, nil
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
	if _, err := pipeline.GetResults(); err != nil {
		return err
	}
	return faultpoint.Hit("repository.commit.after")
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
