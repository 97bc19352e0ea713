package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tusq/internal/process"
)

// The directions of a proxy's data.
const (
	upstream   = "upstream"   // from the client to the server
	downstream = "downstream" // from the server to the client
)

// Toxic is a disturbance of a proxy's connections, old and new, as toxiproxy names it and its attributes.
type Toxic struct {
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity"` // share of the connections that have it; 0: all
	Attributes map[string]any `json:"attributes"`
}

// Proxy forwards connections to a server and can do harm to them.
type Proxy struct {
	proxy *toxiproxy.Proxy
}

// StartProxy starts a proxy on a free loopback address. The server need not be there.
func StartProxy(ctx context.Context, name, server string) (*Proxy, error) {
	address, err := process.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics write to a log of their own
	service := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &Proxy{proxy: toxiproxy.NewProxy(service, name, address, server)}
	if err := p.proxy.Start(); err != nil {
		return nil, fmt.Errorf("start the proxy %s: %w", name, err)
	}
	return p, nil
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.proxy.Listen }

// Add begins to do harm.
func (p *Proxy) Add(toxics ...Toxic) error {
	for _, toxic := range toxics {
		if toxic.Toxicity == 0 {
			toxic.Toxicity = 1
		}
		text, err := json.Marshal(toxic)
		if err != nil {
			return err
		}
		if _, err := p.proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
			return fmt.Errorf("proxy %s: toxic %s: %w", p.proxy.Name, text, err)
		}
	}
	return nil
}

// Heal ends all harm. Connections that were partitioned are closed.
func (p *Proxy) Heal(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.proxy.Toxics.ResetToxics(ctx)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("proxy %s does not heal: %w", p.proxy.Name, ctx.Err())
	}
}

// Stop closes the proxy and its connections.
func (p *Proxy) Stop() { p.proxy.Stop() }
