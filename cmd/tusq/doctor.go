package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"tusq/cmd/tusq/doctor"
	"tusq/internal/version"
	"tusq/migrations"
	"tusq/repository"
)

// doctorTimeout bounds the whole examination.
const doctorTimeout = time.Minute

type doctorCmd struct {
	databaseFlags
}

// Run looks at the database and prints a line for each fact.
func (c *doctorCmd) Run(ctx context.Context, g *Globals) error {
	db, err := c.openExisting(ctx, slog.New(slog.NewTextHandler(g.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer db.close()
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	seen := doctor.Seen{Tusq: version.String()}
	if seen.Schema, err = migrations.ReadStatus(ctx, db.straight()); err != nil {
		return err
	}
	if seen.Schema.Database < seen.Schema.Binary {
		return db.requireSchema(ctx) // whose tables are to be looked at
	}
	if seen.Database, err = repository.Inspect(ctx, db.straight()); err != nil {
		return err
	}
	lines := doctor.Judge(seen)
	if g.JSON {
		err = g.printJSON(map[string]any{"lines": lines})
	} else {
		doctor.Print(g.Stdout, lines)
	}
	if err == nil && doctor.Sick(lines) {
		err = errors.New("there are problems")
	}
	return err
}
