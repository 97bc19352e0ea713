package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// view is what Patroni says of its cluster: GET /cluster.
type view struct {
	Members []struct {
		Name     string `json:"name"`
		Role     string `json:"role"` // leader, sync_standby or replica
		State    string `json:"state"`
		Timeline int    `json:"timeline"`
	} `json:"members"`
}

// with returns the name of a member that has a role, or "".
func (v view) with(role string) string {
	for _, m := range v.Members {
		if m.Role == role {
			return m.Name
		}
	}
	return ""
}

// whole is nil when all members work on one timeline, and one of the standbys can take over.
func (v view) whole() error {
	if v.with("leader") == "" || v.with("sync_standby") == "" || len(v.Members) < len(names) {
		return fmt.Errorf("the cluster is not whole: %+v", v.Members)
	}
	for _, m := range v.Members {
		if m.Timeline != v.Members[0].Timeline || m.State != "running" && m.State != "streaming" {
			return fmt.Errorf("%s is %s on timeline %d: %+v", m.Name, m.State, m.Timeline, v.Members)
		}
	}
	return nil
}

// look asks the first member that answers.
func (c *Cluster) look(ctx context.Context) (v view, err error) {
	err = errors.New("nobody is there to ask")
	for _, m := range c.members {
		if m.silent {
			continue
		}
		if err = get(ctx, "http://"+m.api+"/cluster", &v); err == nil {
			return v, nil
		}
	}
	return v, err
}

// leader is the member that is said to hold the lease.
func (c *Cluster) leader(ctx context.Context) (*member, error) {
	v, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	name := v.with("leader")
	i := slices.IndexFunc(c.members, func(m *member) bool { return m.name == name })
	if i < 0 {
		return nil, fmt.Errorf("nobody leads: %+v", v.Members)
	}
	return c.members[i], nil
}

// AwaitQuorum returns when all members follow the primary, and its commits wait for one that may take over.
func (c *Cluster) AwaitQuorum(ctx context.Context) error {
	return c.await(ctx, func(ctx context.Context) error {
		v, err := c.look(ctx)
		if err != nil {
			return err
		}
		if err := v.whole(); err != nil {
			return err
		}
		leader, err := c.leader(ctx)
		if err != nil {
			return err
		}
		if err := leader.leads(ctx); err != nil {
			return err
		}
		return leader.isFollowed(ctx, v.with("sync_standby"), len(c.members)-1)
	})
}

// isFollowed is nil when PostgreSQL, too, says that so many standbys stream, and that commits wait for the one.
func (m *member) isFollowed(ctx context.Context, synchronous string, standbys int) error {
	var names []string
	err := m.queryRow(ctx, &names, `
SELECT coalesce(array_agg(application_name || ' ' || sync_state), '{}')
FROM pg_stat_replication
WHERE state = 'streaming'`)
	if err == nil && (len(names) != standbys || !slices.Contains(names, synchronous+" sync")) {
		err = fmt.Errorf("%s is followed by %v; want %d, and %s as the synchronous one", m.name, names, standbys, synchronous)
	}
	return err
}

// get asks for JSON, into answer if that is not nil. accepted are statuses besides 200.
func get(ctx context.Context, url string, answer any, accepted ...int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK && !slices.Contains(accepted, response.StatusCode) {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
