package cluster

import (
	"net"
	"net/http"
	"testing"

	"tusq/client"
	"tusq/internal/pgtest"
)

// TestKeySourcesThroughTheLoadBalancer: a key's networks are compared with the address that the
// load balancer has seen, whatever clients forward. Only Linux has more loopback addresses than one.
func TestKeySourcesThroughTheLoadBalancer(t *testing.T) {
	t.Parallel()
	c := startCluster(t, pgtest.New(t))
	key, err := c.client(t).CreateKey(t.Context(), client.CreateKey{
		Name: "shop", Actions: []string{"list_queues"}, Queues: []string{"*"}, Sources: []string{"127.0.0.7/32"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.awaitKnown(t, key)
	for name, test := range map[string]struct {
		from, url, forged string
		served            bool
	}{
		"its own":                     {"127.0.0.7", c.url, "", true},
		"its own, another forwarded":  {"127.0.0.7", c.url, "127.0.0.8", true},
		"another":                     {"127.0.0.8", c.url, "", false},
		"another, its own forwarded":  {"127.0.0.8", c.url, "127.0.0.7", false},
		"the balancer's, its own too": {"127.0.0.1", c.url, "127.0.0.7", false},
		"another, no balancer":        {"127.0.0.8", c.replicas[0].url(), "127.0.0.7", false},
	} {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(test.from)}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url+"/v1/queues", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key.Token)
		if test.forged != "" {
			request.Header.Set("X-Forwarded-For", test.forged)
		}
		response, err := (&http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		want := http.StatusForbidden
		if test.served {
			want = http.StatusOK
		}
		if response.StatusCode != want {
			t.Errorf("%s: got %d, want %d", name, response.StatusCode, want)
		}
	}
}
