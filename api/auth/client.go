package auth

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/go-chi/chi/v5/middleware"
)

type clientKey struct{}

// ClientKey is the key of a context's *Client, for a context type that carries one as a
// field. Others call WithClient.
var ClientKey any = clientKey{}

// Client is whom a request comes from. Its address is found out when it is asked for, so
// that the hot paths, which do not ask, pay nothing.
type Client struct {
	Find    ClientFinder
	Request *http.Request
}

// ClientFinder returns the address of a request's client, which is invalid where it
// cannot be told.
type ClientFinder func(r *http.Request) netip.Addr

// FindClient returns the finder of a server that is reached by way of proxies. The client
// is the peer of the connection, unless that is a proxy: then it is the last one in
// X-Forwarded-For that is none. What a client itself has put there is to the left of it,
// and is not looked at. Where a proxy forwards no address, or text that is none, there is
// no client's address.
func FindClient(proxies []netip.Prefix) ClientFinder {
	if len(proxies) == 0 {
		return peer
	}
	networks := make([]string, len(proxies))
	for i, p := range proxies {
		networks[i] = p.String()
	}
	identify := middleware.ClientIPFromXFF(networks...)
	return func(r *http.Request) (found netip.Addr) {
		identify(http.HandlerFunc(func(_ http.ResponseWriter, identified *http.Request) {
			found = middleware.GetClientIPAddr(identified.Context())
		})).ServeHTTP(nil, r)
		return found
	}
}

// peer returns the address of a request's connection.
func peer(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}

// WithClient returns a context of a request from client.
func WithClient(ctx context.Context, client Client) context.Context {
	return context.WithValue(ctx, ClientKey, &client)
}

// ClientIP returns the address of the client whose request ctx belongs to. It is invalid
// outside a request, and where trusted proxies forward none: who compares it with
// networks refuses it then.
func ClientIP(ctx context.Context) netip.Addr {
	client, ok := ctx.Value(ClientKey).(*Client)
	if !ok || client.Find == nil {
		return netip.Addr{}
	}
	return client.Find(client.Request)
}
