package rig

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// databaseFaults are those of the network between the replicas and PostgreSQL.
var databaseFaults = []Fault{
	database("latency", []int{29}, func(r *rand.Rand) []Toxic { return latency([]int{5, 50, 500}[r.IntN(3)], r) }),
	database("bandwidth 64 KB/s", []int{29}, func(*rand.Rand) []Toxic { return both("bandwidth", map[string]any{"rate": 64}) }),
	database("black hole", []int{30}, func(*rand.Rand) []Toxic { return both("timeout", map[string]any{"timeout": 0}) }),
	database("reset connections", []int{31}, func(r *rand.Rand) []Toxic {
		return []Toxic{{Type: "reset_peer", Stream: direction(r), Toxicity: 0.3, Attributes: map[string]any{"timeout": r.IntN(50)}}}
	}),
	database("cut connections", []int{31}, func(r *rand.Rand) []Toxic {
		return []Toxic{{Type: "limit_data", Stream: direction(r), Toxicity: 0.5, Attributes: map[string]any{"bytes": r.IntN(20_000)}}}
	}),
	database("slices of one byte", []int{32}, oneByteSlices),
	database("slow close", []int{32}, func(r *rand.Rand) []Toxic { return both("slow_close", map[string]any{"delay": 500 + r.IntN(2000)}) }),
	database("one-way partition", []int{34}, func(r *rand.Rand) []Toxic {
		return []Toxic{{Type: "timeout", Stream: direction(r), Attributes: map[string]any{"timeout": 0}}}
	}),
}

// frontFaults are those of the network between the clients and the load balancer.
var frontFaults = []Fault{
	front("lost answers", []int{33}, func(r *rand.Rand) []Toxic {
		return []Toxic{{Type: "limit_data", Stream: downstream, Toxicity: 0.3, Attributes: map[string]any{"bytes": r.IntN(2000)}}}
	}),
	front("reset clients", []int{31, 33}, func(r *rand.Rand) []Toxic {
		return []Toxic{{Type: "reset_peer", Stream: direction(r), Toxicity: 0.3, Attributes: map[string]any{"timeout": r.IntN(50)}}}
	}),
	front("slow clients", []int{29}, func(r *rand.Rand) []Toxic { return latency([]int{5, 50, 500}[r.IntN(3)], r) }),
	front("sliced requests", []int{32}, oneByteSlices),
	front("clients close slowly", []int{32}, func(r *rand.Rand) []Toxic { return both("slow_close", map[string]any{"delay": 500 + r.IntN(2000)}) }),
	front("clients' one-way partition", []int{33, 34}, func(r *rand.Rand) []Toxic {
		return []Toxic{{Type: "timeout", Stream: direction(r), Toxicity: 0.5, Attributes: map[string]any{"timeout": 0}}}
	}),
}

func direction(r *rand.Rand) string { return []string{upstream, downstream}[r.IntN(2)] }

// both are a toxic of each direction.
func both(kind string, attributes map[string]any) []Toxic {
	return []Toxic{
		{Type: kind, Stream: upstream, Attributes: attributes},
		{Type: kind, Stream: downstream, Attributes: attributes},
	}
}

func latency(milliseconds int, r *rand.Rand) []Toxic {
	return []Toxic{{Type: "latency", Stream: direction(r), Attributes: map[string]any{"latency": milliseconds, "jitter": milliseconds / 2}}}
}

func oneByteSlices(r *rand.Rand) []Toxic {
	return []Toxic{{Type: "slicer", Stream: direction(r), Toxicity: 0.3, Attributes: map[string]any{"average_size": 1, "size_variation": 0, "delay": 0}}}
}

// database is a fault of the connections of one replica or, one time in four, of all of them.
func database(name string, rows []int, toxics func(*rand.Rand) []Toxic) Fault {
	inject := func(_ context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
		chosen, who := c.Database, "all replicas"
		if r.IntN(4) > 0 {
			i := r.IntN(len(c.Database))
			chosen, who = c.Database[i:i+1], c.Replicas[i].Name
		}
		return disturb(who, chosen, toxics(r))
	}
	return Fault{Name: name, Rows: rows, Part: OfDatabase, inject: inject}
}

func front(name string, rows []int, toxics func(*rand.Rand) []Toxic) Fault {
	inject := func(_ context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
		return disturb("the front", []*Proxy{c.Front}, toxics(r))
	}
	return Fault{Name: name, Rows: rows, Part: OfFront, inject: inject}
}

func disturb(who string, proxies []*Proxy, toxics []Toxic) (Injected, error) {
	for _, p := range proxies {
		if err := p.Add(toxics...); err != nil {
			return Injected{}, err
		}
	}
	return Injected{What: fmt.Sprintf("%s, %s %v", who, toxics[0].Stream, toxics[0].Attributes), Heal: func(ctx context.Context) error {
		for _, p := range proxies {
			if err := p.Heal(ctx); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}
