package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tusq/client"
)

const (
	setUpAtOnce = 16               // queues that are created or deleted at a time
	drain       = 30 * time.Second // for deleting a thousand queues at the end
)

// connect makes the load of the protocol and the endpoints that the options name.
func connect(o *Options) (*load, error) {
	protocolOf := func(url string) (protocol, *endpoint, error) {
		if o.SQS != "" {
			p, err := newSQS(url, o.Signing, o.TLS)
			if err != nil {
				return nil, nil, err
			}
			return p, p.endpoint, nil
		}
		p, err := newREST(url, o.Token, o.TLS)
		if err != nil {
			return nil, nil, err
		}
		return p, p.endpoint, nil
	}
	url := o.URL
	if o.SQS != "" {
		url = o.SQS
	}
	p, sendTo, err := protocolOf(url)
	if err != nil {
		return nil, err
	}
	if o.Workload == Noop {
		path := sendTo.whole
		if o.SQS != "" {
			path = ""
		}
		p = noop{p, path}
	}
	takeFrom := sendTo
	if o.ReceiveURL != "" {
		if _, takeFrom, err = protocolOf(o.ReceiveURL); err != nil {
			return nil, fmt.Errorf("--receive-url: %w", err)
		}
	}
	return newLoad(o, p, sendTo, takeFrom), nil
}

// names returns the queues' names.
func (o *Options) names() []string {
	base, suffix := o.Queue, ""
	if base == "" {
		base = fmt.Sprintf("bench-%08x", rand.Uint32())
	}
	if o.FIFO {
		base, suffix = strings.TrimSuffix(base, client.FIFOSuffix), client.FIFOSuffix
	}
	if o.Queues == 1 {
		return []string{base + suffix}
	}
	names := make([]string, o.Queues)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d%s", base, i, suffix)
	}
	return names
}

// createQueues creates the queues and returns those that did not exist, also beside an
// error.
func (l *load) createQueues(ctx context.Context) (created []queue, err error) {
	names := l.names()
	l.queues = make([]queue, len(names))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(setUpAtOnce)
	for i, name := range names {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			q, isNew, err := l.protocol.createQueue(ctx, name, l.FIFO)
			l.queues[i] = q
			if isNew {
				mu.Lock()
				defer mu.Unlock()
				created = append(created, q)
			}
			return err
		})
	}
	err = group.Wait()
	return created, err
}

func (l *load) deleteQueues(ctx context.Context, queues []queue) error {
	ctx, cancel := context.WithTimeout(ctx, drain+time.Duration(len(queues))*drain/1000)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(setUpAtOnce)
	for _, q := range queues {
		group.Go(func() error { return l.protocol.deleteQueue(ctx, q) })
	}
	return group.Wait()
}
