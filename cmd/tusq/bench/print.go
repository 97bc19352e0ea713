package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the report for people.
func (r Report) Print(out io.Writer) error {
	fmt.Fprintln(out, r.title())
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tmessages\tmessages/s\tp50 ms\tp90 ms\tp99 ms\tp99.9 ms\tmax ms\terrors\t")
	for _, c := range r.Calls {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%s\t%s\t\n", c.Name, c.Messages, c.PerSecond, c.columns(), errorsText(c.Errors))
	}
	if r.EndToEnd != nil {
		fmt.Fprintf(table, "end to end\t%d\t%.0f\t%s\t\t\n", r.EndToEnd.Messages, float64(r.EndToEnd.Messages)/r.Seconds, r.EndToEnd.columns())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	r.Server.print(out)
	r.plot(out)
	return nil
}

func (r Report) title() string {
	parts := []string{fmt.Sprintf("workload %s over %s", r.Workload, r.Target)}
	add := func(when bool, format string, args ...any) {
		if when {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(true, "%d connections, batches of %d, bodies of %d bytes", r.Connections, r.Batch, r.Size)
	add(r.Queues > 1, "%d queues", r.Queues)
	add(r.FIFO, "FIFO with %d groups", r.Groups)
	add(r.Backlog > 0, "%d messages waiting", r.Backlog)
	add(r.Rate > 0, "open loop of %g/s", r.Rate)
	add(true, "measured for %.1f s", r.Seconds)
	return strings.Join(parts, ", ")
}

// columns are the cells of a table.
func (l Latencies) columns() string {
	return fmt.Sprintf("%.2f\t%.2f\t%.2f\t%.2f\t%.2f", l.P50, l.P90, l.P99, l.P999, l.Max)
}

// print writes what is known of the server.
func (s Server) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out)
	fmt.Fprintln(table, "CPU\tseconds\tus/message\tpeak MB\t")
	for _, name := range slices.Sorted(maps.Keys(s.CPUSeconds)) {
		fmt.Fprintf(table, "%s\t%.2f\t%.1f\t%.0f\t\n", name, s.CPUSeconds[name], s.CPUPerMessage[name], float64(s.PeakRSS[name])/1e6)
	}
	if s.ClientCPUSeconds != nil {
		fmt.Fprintf(table, "this client\t%.2f\t%.1f\t\t\n", *s.ClientCPUSeconds, valueOr(s.ClientCPUPer, 0))
	}
	_ = table.Flush()
	if s.TransactionsSecond != nil {
		fmt.Fprintf(out, "\ndatabase: %.0f transactions/s", *s.TransactionsSecond)
		if s.FsyncsPerSecond != nil {
			fmt.Fprintf(out, ", %.0f fsyncs/s of WAL", *s.FsyncsPerSecond)
		}
		if s.WALPerMessage != nil {
			fmt.Fprintf(out, ", %.0f bytes of WAL per message", *s.WALPerMessage)
		}
		fmt.Fprintln(out)
	}
}

func valueOr(value *float64, other float64) float64 {
	if value == nil {
		return other
	}
	return *value
}

// errorsText lists counts of errors, or says 0.
func errorsText(errors map[string]int64) string {
	var text []string
	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		text = append(text, fmt.Sprintf("%d %s", errors[kind], kind))
	}
	if len(text) == 0 {
		return "0"
	}
	return strings.Join(text, ", ")
}
