package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestManyHeadersAreRefused at once, although the body is still to come: each value costs hundreds of bytes while it does.
func TestManyHeadersAreRefused(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	d := newDoor(listener, limitFlags{MaxConnections: 10}, nil, log)
	e := newEntry(d, log)
	e.admit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	go func() { _ = e.run() }()
	defer e.close()
	few, names, values := "", "", ""
	for i := range maxHeaders + 1 {
		if i < maxHeaders/2 {
			few += fmt.Sprintf("a%d: \r\n", i)
		}
		names += fmt.Sprintf("a%d: \r\n", i)
		values += "a: \r\n"
	}
	for headers, want := range map[string]string{few: "200", names: "431", values: "431"} {
		conn, err := net.Dial("tcp", d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		length := 0 // whoever is served sends the whole request
		if want != "200" {
			length = 10
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n", length, headers)
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("with %d bytes of headers: %.60q, %v; want %s", len(headers), answer, err, want)
		}
	}
}
