package patroni

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// object is a part of a configuration, which is JSON: Patroni reads YAML.
type object = map[string]any

// scope is the cluster's name.
const scope = "tusq"

// configure writes the member's configuration.
func (m *member) configure(etcd string) error {
	text, err := json.MarshalIndent(object{
		"scope":     scope,
		"name":      m.name,
		"etcd3":     object{"host": etcd},
		"restapi":   object{"listen": m.api, "connect_address": m.api},
		"bootstrap": object{"dcs": agreed(), "initdb": []any{object{"encoding": "UTF8"}, object{"locale": "C"}, "data-checksums"}},
		"postgresql": object{
			"listen":          m.postgres,
			"connect_address": m.postgres,
			"data_dir":        m.data(),
			"bin_dir":         m.tools.postgres.Dir(),
			"pgpass":          filepath.Join(m.dir, "pgpass"),
			"pg_hba":          []string{"host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"},
			"authentication":  object{"superuser": object{"username": "postgres"}, "replication": object{"username": "replicator"}},
			"parameters":      object{"unix_socket_directories": ""},
		},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(m.config(), text, 0o644)
}

// agreed are the settings that all members share in etcd.
func agreed() object {
	return object{
		"ttl":                     int(TTL / time.Second),
		"loop_wait":               1,
		"retry_timeout":           5,
		"maximum_lag_on_failover": 1 << 20,
		"synchronous_mode":        true,
		"synchronous_mode_strict": true,
		"postgresql": object{
			"use_pg_rewind": true,
			"use_slots":     true,
			"parameters": object{
				"fsync":                        "on",
				"full_page_writes":             "on",
				"synchronous_commit":           "on",
				"max_connections":              80,
				"max_wal_size":                 "512MB",
				"wal_keep_size":                "256MB",
				"shared_buffers":               "64MB",
				"jit":                          "off",
				"max_parallel_workers":         0,
				"wal_receiver_status_interval": "1s",
				"wal_retrieve_retry_interval":  "200ms",
			},
		},
	}
}
