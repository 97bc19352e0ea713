package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"tusq/migrations"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply the migrations that are missing. Safe to run from many places at once."`
	Status migrateStatusCmd `cmd:"" help:"Tell the schema's version. Exits with 1 when migrations are missing, or when the schema no longer supports this binary."`
}

type migrateUpCmd struct {
	databaseFlags
}

// Run applies the migrations that are missing.
func (c *migrateUpCmd) Run(ctx context.Context, g *Globals) error {
	db, err := c.open(ctx, slog.New(slog.NewTextHandler(g.Stderr, nil)))
	if err != nil {
		return err
	}
	defer db.close()
	applied, err := db.migrate(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]int{"applied": applied})
	}
	_, err = fmt.Fprintf(g.Stdout, "applied %d migrations\n", applied)
	return err
}

type migrateStatusCmd struct {
	databaseFlags
}

// Run tells where the schema is.
func (c *migrateStatusCmd) Run(ctx context.Context, g *Globals) error {
	db, err := c.openExisting(ctx, slog.New(slog.NewTextHandler(g.Stderr, nil)))
	if err != nil {
		return err
	}
	defer db.close()
	status, err := migrations.ReadStatus(ctx, cmp.Or(db.direct, db.url))
	if err != nil {
		return err
	}
	if g.JSON {
		err = g.printJSON(map[string]int{"database": status.Database, "binary": status.Binary, "oldest_supported": status.OldestSupported})
	} else {
		_, err = fmt.Fprintf(g.Stdout, "database: version %d\nthis binary: version %d\n", status.Database, status.Binary)
	}
	switch {
	case err != nil:
		return err
	case !status.Current():
		return fmt.Errorf("%d migrations are missing: run tusq migrate up", status.Binary-status.Database)
	}
	return checkSupport(status)
}
