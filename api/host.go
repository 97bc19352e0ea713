package api

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"tusq/service"
)

// refuseOtherHosts refuses requests that ask for a name which is none of this server's. Where nobody
// needs a key, a page of any site could have its name lead to this machine ("DNS rebinding"): it is then
// of the same origin for its browser, which nothing but the name in Host tells.
func (m *middleware) refuseOtherHosts(d dialect) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !m.isOurs(r.Host) {
				d.writeError(w, r, service.Errorf(service.CodeForbidden,
					"This server has no authentication and is for its own machine, by localhost or 127.0.0.1. For another name, start it with --public-url or with --auth on."))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// isOurs tells whether a Host header names this server, if it names any: a browser's always does.
func (m *middleware) isOurs(host string) bool {
	if m.hosts == nil || host == "" {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if address, err := netip.ParseAddr(host); err == nil && address.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(m.hosts, func(ours string) bool { return strings.EqualFold(ours, host) })
}
