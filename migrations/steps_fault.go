//go:build fault

package migrations

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strings"

	"github.com/golang-migrate/migrate/v4/database"

	"tusq/internal/faultpoint"
)

// stepped is a driver that runs a migration's statements one by one. They are still one
// transaction, as they are for PostgreSQL when they are sent together.
type stepped struct {
	database.Driver
	db *sql.DB
}

// inSteps has fault points between the statements of a migration.
func inSteps(driver database.Driver, db *sql.DB) database.Driver { return stepped{driver, db} }

// Run carries out a migration.
func (s stepped) Run(migration io.Reader) error {
	text, err := io.ReadAll(migration)
	if err != nil {
		return err
	}
	ctx := context.Background()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, statement := range statements(string(text)) {
		_, err := tx.ExecContext(ctx, statement)
		if err == nil {
			err = faultpoint.Hit("migrations.statement")
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return faultpoint.Hit("migrations.committed")
}

// statements divides a migration where a line ends with a semicolon, outside of bodies of functions.
func statements(text string) (all []string) {
	var statement strings.Builder
	inBody := false
	for line := range strings.Lines(text) {
		statement.WriteString(line)
		code, _, _ := strings.Cut(line, "--")
		inBody = inBody != (strings.Count(code, "$$")%2 == 1)
		if !inBody && strings.HasSuffix(strings.TrimSpace(code), ";") {
			all = append(all, statement.String())
			statement.Reset()
		}
	}
	return all
}
