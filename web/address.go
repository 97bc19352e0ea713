package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// endpoint is the server's address as the browser knows it.
func (c *console) endpoint(r *http.Request) string {
	if c.publicURL != "" {
		return c.publicURL
	}
	scheme, host := "http://", r.Host
	if c.isSecure(r) {
		scheme = "https://"
	}
	if name := c.forwarded(r, "X-Forwarded-Host"); name != "" && !strings.ContainsAny(name, "/ ") {
		host = name
	}
	return scheme + host
}

// isSecure tells whether browsers reach the console by HTTPS.
func (c *console) isSecure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(strings.ToLower(c.publicURL), "https://") || c.forwarded(r, "X-Forwarded-Proto") == "https"
}

// isFit tells whether a secret may be sent on this connection: by HTTPS, or inside this machine.
func (c *console) isFit(r *http.Request) bool { return c.isSecure(r) || isLoopback(r.Host) }

func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// forwarded returns what the browser has asked for, of what a trusted proxy has noted; "": nothing.
func (c *console) forwarded(r *http.Request, header string) string {
	if !c.isProxy(peer(r)) {
		return ""
	}
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	return strings.TrimSpace(first)
}

// isProxy tells whether an address may speak for others.
func (c *console) isProxy(from netip.Addr) bool {
	return slices.ContainsFunc(c.proxies, func(network netip.Prefix) bool { return network.Contains(from) })
}

// peer is the address of a connection's other end.
func peer(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero one is in no network
	return from.Addr().Unmap()
}
