package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"tusq/bench/report"
	"tusq/internal/process"
)

// handlerCommand is the argument that makes this program the no-op handler.
const handlerCommand = "noop-handler"

// noopAnswer is as long as the answer to a send.
var noopAnswer = []byte(`{"id":"01a1fdbf-3277-710f-96fa-f42bcd590000"}` + "\n")

// handler is the limit of what any HTTP server in Go can do: requests are read and answered, and that is all.
type handler struct {
	opts    options
	server  *process.Process
	address string
}

// Series names it.
func (*handler) Series() report.Series {
	return report.Series{Name: report.Handler, Title: "no-op handler", Send: "nothing"}
}

// Runs: single sends, which the limits of the other workloads are derived from.
func (*handler) Runs(w report.Workload) bool { return w.Key == "W1" }

// Start starts this program as the server.
func (h *handler) Start(ctx context.Context, dir string, _ report.Workload) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if h.address, err = process.FreeAddress(ctx); err != nil {
		return err
	}
	h.server, err = process.Start(dir, exec.CommandContext(context.WithoutCancel(ctx), self, handlerCommand, h.address))
	if err != nil {
		return err
	}
	return h.server.WaitFor(ctx, startTimeout, func(ctx context.Context) error { return process.Listening(ctx, h.address) })
}

// Run runs `tusq bench` against it.
func (h *handler) Run(ctx context.Context, w report.Workload) (json.RawMessage, error) {
	w.Kind = "noop"
	args := append(benchArguments(h.opts, w), "--url", "http://"+h.address+"/v1/queues/noop/messages", "--server-pid", strconv.Itoa(h.server.ID()))
	return process.Output(exec.CommandContext(ctx, h.opts.tusq, args...))
}

// Stop ends the server.
func (h *handler) Stop() {
	if h.server != nil {
		h.server.Stop()
	}
	h.server = nil
}

// serveHandler answers requests until ctx ends.
func serveHandler(ctx context.Context, address string) error {
	server := &http.Server{Addr: address, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a request that is cut off gets no answer either way
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(noopAnswer)
	})}
	ended := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // the program ends
	defer ended()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
