package telemetry

import "github.com/prometheus/client_golang/prometheus"

// ShowConnections adds the clients' connections, which the listener counts.
func (m *Metrics) ShowConnections(open, refused func() int64) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tusq_http_connections",
			Help: "Open connections of clients.",
		}, func() float64 { return float64(open()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tusq_http_connections_refused_total",
			Help: "Connections refused because too many were open.",
		}, func() float64 { return float64(refused()) }),
	)
}
