package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"tusq/internal/telemetry"
)

// A connection too many is answered 503 although its request is on its way, and there is
// room again when another has gone.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(listener, limitFlags{MaxConnections: 2}, nil, slog.New(slog.DiscardHandler))
	metrics := telemetry.New()
	d.show(metrics)
	serveDoor(t, d, metrics.Handler())
	var held []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	get := func() (int, string) {
		t.Helper()
		transport := &http.Transport{DisableKeepAlives: true}
		response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("http://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		return response.StatusCode, response.Header.Get("Retry-After") + string(text)
	}
	for range 10 {
		if status, text := get(); status != http.StatusServiceUnavailable || text != "1The server has too many connections now.\n" {
			t.Errorf("one too many got %d %q", status, text)
		}
	}
	if open, refused := d.open.Load(), d.refused.Load(); open != 2 || refused != 10 {
		t.Errorf("%d are open, %d were refused", open, refused)
	}
	held[0].Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if status, _ := get(); status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("there is no room again")
		}
	}
}

// TestWelcomeIsToThisMachine: the console lets people sign in by no address that stands for all of them.
func TestWelcomeIsToThisMachine(t *testing.T) {
	t.Parallel()
	for address, host := range map[string]string{":0": "localhost", "0.0.0.0:0": "localhost", "127.0.0.1:0": "127.0.0.1"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		d := newDoor(listener, limitFlags{}, nil, slog.New(slog.DiscardHandler))
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if want := "http://" + host + ":" + port; err != nil || d.url() != want {
			t.Errorf("%s is welcomed to %s, want %s", address, d.url(), want)
		}
	}
}
