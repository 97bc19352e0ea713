package rig

import (
	"context"
	"fmt"
)

// Standby makes a standby of the running server in a directory and starts it. It returns when it streams under the name, the one that
// synchronous_standby_names goes by.
func (p *Postgres) Standby(ctx context.Context, dir, name string) (*Postgres, error) {
	standby, err := newPostgres(ctx, dir, 0)
	if err != nil {
		return nil, err
	}
	err = standby.run(ctx, "", "pg_basebackup", "--pgdata="+standby.dir, "--dbname="+p.replicationString(name), "--write-recovery-conf",
		"--checkpoint=fast", "--wal-method=stream")
	if err != nil {
		return nil, err
	}
	if err := standby.Start(ctx); err != nil {
		return nil, err
	}
	if err := p.AwaitStandby(ctx, name); err != nil {
		standby.Kill()
		return nil, err
	}
	return standby, nil
}

// replicationString says where a standby with the name streams from.
func (p *Postgres) replicationString(name string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=postgres application_name=%s", p.port, superuser, name)
}

// AwaitStandby returns when a standby with the name streams from the server.
func (p *Postgres) AwaitStandby(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return p.server.waitFor(ctx, func(ctx context.Context) error {
		var streams bool
		err := p.QueryRow(ctx, []any{&streams},
			"SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming')", name)
		if err == nil && !streams {
			err = fmt.Errorf("no standby %q streams", name)
		}
		return err
	})
}

// Promote makes a running standby a primary and returns when it is one.
func (p *Postgres) Promote(ctx context.Context) error {
	var promoted bool
	err := p.QueryRow(ctx, []any{&promoted}, "SELECT pg_promote(true, 60)")
	if err == nil && !promoted {
		err = fmt.Errorf("%s was not promoted within a minute; %s", p.dir, p.Log())
	}
	return err
}

// Rewind makes a server that has been stopped or killed a standby of the running one with the name, whatever it alone had written:
// pg_rewind. It does not start it. The settings are then those of from.
func (p *Postgres) Rewind(ctx context.Context, from *Postgres, name string) error {
	if p.Running() {
		return fmt.Errorf("%s is running", p.dir)
	}
	// Without a checkpoint the new primary's control file may still name the old timeline.
	if err := from.Exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	return p.run(ctx, "", "pg_rewind", "--target-pgdata="+p.dir, "--source-server="+from.replicationString(name), "--write-recovery-conf")
}
