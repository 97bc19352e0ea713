//go:build fault

package faultpoint

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// control serves the plan on a loopback address: PUT replaces it, GET returns the points that
// were passed since, in their order, one a line.
func control(address string) error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("faultpoint: %w", err)
	}
	if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		return fmt.Errorf("faultpoint: %s can be reached by others", address)
	}
	server := &http.Server{Handler: http.HandlerFunc(servePlan), ReadHeaderTimeout: 5 * time.Second}
	go func() { panic(server.Serve(listener)) }()
	return nil
}

func servePlan(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		plan, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err == nil {
			err = arm(string(plan))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		return
	}
	state.Lock()
	defer state.Unlock()
	fmt.Fprint(w, strings.Join(state.passed, "\n"))
}
