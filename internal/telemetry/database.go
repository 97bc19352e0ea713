package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Database is what the metrics say of the database.
type Database struct {
	Unfit             map[string]bool // whether each of a closed list of shortcomings holds
	OldestTransaction time.Duration
	DeadRows          int64
}

var (
	unfitDesc = prometheus.NewDesc("tusq_database_unfit",
		"1: the database has this shortcoming, 0: it has not.", []string{"fact"}, nil)
	oldestDesc = prometheus.NewDesc("tusq_database_oldest_transaction_seconds",
		"Age of the oldest transaction that keeps vacuum from removing dead rows.", nil, nil)
	deadRowsDesc = prometheus.NewDesc("tusq_messages_dead_rows",
		"Dead rows of the messages that vacuum has not removed yet, as PostgreSQL estimates them.", nil, nil)
)

// databaseCollector shows what was last read; before that, nothing.
type databaseCollector struct{ read func() (Database, bool) }

// ShowDatabase adds what read knows of the database, once it knows it.
func (m *Metrics) ShowDatabase(read func() (Database, bool)) {
	m.registry.MustRegister(databaseCollector{read})
}

// Describe implements [prometheus.Collector].
func (databaseCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- unfitDesc
	descs <- oldestDesc
	descs <- deadRowsDesc
}

// Collect implements [prometheus.Collector].
func (c databaseCollector) Collect(metrics chan<- prometheus.Metric) {
	database, known := c.read()
	if !known {
		return
	}
	for fact, holds := range database.Unfit {
		value := 0.0
		if holds {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(unfitDesc, prometheus.GaugeValue, value, fact)
	}
	metrics <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, database.OldestTransaction.Seconds())
	metrics <- prometheus.MustNewConstMetric(deadRowsDesc, prometheus.GaugeValue, float64(database.DeadRows))
}

// ShowConflicts adds how many of this process's transactions PostgreSQL has ended for the sake of others.
func (m *Metrics) ShowConflicts(deadlocks, serialization func() int64) {
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tusq_deadlocks_total",
			Help: "Transactions that PostgreSQL ended to resolve a deadlock.",
		}, func() float64 { return float64(deadlocks()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tusq_serialization_failures_total",
			Help: "Transactions that PostgreSQL ended because they could not be serialized.",
		}, func() float64 { return float64(serialization()) }))
}
