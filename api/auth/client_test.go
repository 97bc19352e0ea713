package auth_test

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"testing"

	"tusq/api/auth"
)

func TestClientIP(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, test := range map[string]struct {
		proxies   []netip.Prefix
		peer      string
		forwarded []string
		want      string // empty: none
	}{
		"no proxies":                        {nil, "203.0.113.7:5", nil, "203.0.113.7"},
		"no proxies, spoofed":               {nil, "203.0.113.7:5", []string{"198.51.100.1"}, "203.0.113.7"},
		"not from a proxy":                  {proxies, "203.0.113.7:5", nil, "203.0.113.7"},
		"not from a proxy, spoofed":         {proxies, "203.0.113.7:5", []string{"198.51.100.1"}, "203.0.113.7"},
		"not from a proxy, spoofed by one":  {proxies, "203.0.113.7:5", []string{"198.51.100.1, 10.0.0.1"}, "203.0.113.7"},
		"by a proxy":                        {proxies, "10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		"by a proxy of IPv6":                {proxies, "[::1]:5", []string{"2001:db8::7"}, "2001:db8::7"},
		"by a proxy, mapped":                {proxies, "[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"by two proxies":                    {proxies, "10.0.0.1:5", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		"spoofed before a proxy":            {proxies, "10.0.0.1:5", []string{"192.0.2.1, 198.51.100.1"}, "198.51.100.1"},
		"spoofed in a header of its own":    {proxies, "10.0.0.1:5", []string{"192.0.2.1", "198.51.100.1"}, "198.51.100.1"},
		"spoofed as a proxy":                {proxies, "10.0.0.1:5", []string{"10.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		"by a proxy, no text of an address": {proxies, "10.0.0.1:5", []string{"198.51.100.1, unknown"}, ""},
		"by a proxy that forwards none":     {proxies, "10.0.0.1:5", nil, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.peer
		for _, value := range test.forwarded {
			r.Header.Add("X-Forwarded-For", value)
		}
		var want netip.Addr
		if test.want != "" {
			want = netip.MustParseAddr(test.want)
		}
		client := auth.Client{Find: auth.FindClient(test.proxies), Request: r}
		if got := auth.ClientIP(auth.WithClient(t.Context(), client)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got := auth.ClientIP(context.Background()); got.IsValid() {
		t.Errorf("outside a request: %v", got)
	}
}
