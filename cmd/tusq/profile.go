package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
)

// profileServer serves Go's profiles of the process. They tell much of it, so only the
// machine itself may ask.
func profileServer(address string) (*http.Server, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--profile-listen: %w", err)
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("--profile-listen %s can be reached by others: only a loopback address can be used", address)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: headerTimeout}, nil
}

// serveProfiles serves until ctx ends.
func serveProfiles(ctx context.Context, server *http.Server) error {
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve profiles: %w", err)
	}
	return nil
}
