package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below those that kernels give to outgoing connections: a client that asks again and again for a server that is down
// could be given the server's own port, connect to itself and keep the server from coming back.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// FreeAddress returns a loopback address that nobody listens on, and whose port no outgoing connection is given.
func FreeAddress(ctx context.Context) (string, error) {
	var listen net.ListenConfig
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		listener, err := listen.Listen(ctx, "tcp", address)
		if err == nil {
			return address, listener.Close()
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", errors.New("no port is free")
}
