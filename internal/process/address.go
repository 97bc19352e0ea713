package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below those that kernels give to outgoing connections, and to whoever listens on any: until a server listens on its port, or
// while it is down, nobody else is given it. A client that asks for it again and again could else connect to itself.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// FreeAddresses returns loopback addresses that nobody listens on, and whose ports nobody is given who does not ask for them.
func FreeAddresses(ctx context.Context, n int) ([]string, error) {
	var listen net.ListenConfig
	var addresses []string
	for range 1000 + n {
		if len(addresses) == n {
			return addresses, nil
		}
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		listener, err := listen.Listen(ctx, "tcp", address)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			defer listener.Close() // after the loop, so that all differ
			addresses = append(addresses, address)
		}
	}
	return nil, errors.New("no port is free")
}

// FreeAddress returns one such address.
func FreeAddress(ctx context.Context) (string, error) {
	addresses, err := FreeAddresses(ctx, 1)
	if err != nil {
		return "", err
	}
	return addresses[0], nil
}
