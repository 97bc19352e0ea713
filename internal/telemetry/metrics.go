// Package telemetry holds what the process tells about itself: its metrics, and
// the record of each HTTP request that the log, the metrics and the answers share.
package telemetry

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the process's metrics, built once. Every label's values are a
// closed list: no label carries what a caller wrote.
type Metrics struct {
	registry *prometheus.Registry

	Requests      *prometheus.CounterVec   // by dialect, action and status class ("2xx")
	Duration      *prometheus.HistogramVec // seconds by dialect and action; a receive's includes its wait
	InFlight      *prometheus.GaugeVec     // requests being served, long polls included, by dialect
	BytesInFlight prometheus.Gauge         // bytes of request bodies that are held
	Overloaded    prometheus.Counter       // requests refused because too many bytes were held

	mu     sync.RWMutex
	series map[seriesKey]series // of Requests and Duration, so that their labels are looked up once
}

// seriesKey names what one kind of request is counted in.
type seriesKey struct {
	dialect, action string
	class           int // of the status: 2 for 2xx
}

type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// durationBuckets reach from a coalesced commit to the longest wait of a receive.
var durationBuckets = []float64{
	0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60,
}

// New makes the metrics with a registry of their own.
func New() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	factory := promauto.With(registry)
	return &Metrics{
		registry: registry,
		series:   map[seriesKey]series{},
		Requests: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "tusq_http_requests_total",
			Help: "HTTP requests answered.",
		}, []string{"dialect", "action", "status"}),
		Duration: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tusq_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer; a receive's includes its wait.",
			Buckets: durationBuckets,
		}, []string{"dialect", "action"}),
		InFlight: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tusq_http_requests_in_flight",
			Help: "HTTP requests being served, long polls included.",
		}, []string{"dialect"}),
		BytesInFlight: factory.NewGauge(prometheus.GaugeOpts{
			Name: "tusq_http_request_bytes_in_flight",
			Help: "Bytes of request bodies that are reserved or held.",
		}),
		Overloaded: factory.NewCounter(prometheus.CounterOpts{
			Name: "tusq_http_requests_overloaded_total",
			Help: "HTTP requests refused because too many bytes were in flight.",
		}),
	}
}

// ShowWaiting adds the number of receives that wait, which the service knows.
func (m *Metrics) ShowWaiting(waiting func() int64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tusq_receives_waiting",
		Help: "Receives that sleep until there may be a message.",
	}, func() float64 { return float64(waiting()) }))
}

// ShowAuditDropped adds the number of refusals that the audit log has not, which the service knows.
func (m *Metrics) ShowAuditDropped(dropped func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tusq_audit_dropped_total",
		Help: "Refusals that were left out of the audit log: too many different ones at a time, or no database.",
	}, func() float64 { return float64(dropped()) }))
}

// Handler serves the metrics in the formats that Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Observe counts one answered request.
func (m *Metrics) Observe(request *Request, status int, duration time.Duration) {
	s := m.seriesOf(seriesKey{request.Dialect, request.Action, status / 100})
	s.requests.Inc()
	s.duration.Observe(duration.Seconds())
}

// seriesOf returns the series of key, made at its first request.
func (m *Metrics) seriesOf(key seriesKey) series {
	m.mu.RLock()
	s, known := m.series[key]
	m.mu.RUnlock()
	if known {
		return s
	}
	s = series{
		requests: m.Requests.WithLabelValues(key.dialect, key.action, strconv.Itoa(key.class)+"xx"),
		duration: m.Duration.WithLabelValues(key.dialect, key.action),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series[key] = s
	return s
}
