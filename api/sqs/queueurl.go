package sqs

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"tusq/internal/telemetry"
)

// queueName is what a queue can be called: a FIFO queue's name ends with .fifo.
var queueName = regexp.MustCompile(`^([A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo)$`)

// baseURL returns the part of queue URLs that comes before the account. It is
// the same on all replicas: configured, or what the client itself has called.
func (h *Handler) baseURL(r *http.Request) string {
	if h.publicURL != "" {
		return h.publicURL
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if h.isProxy(r.RemoteAddr) {
		if name := forwarded(r, "X-Forwarded-Host"); name != "" && !strings.ContainsAny(name, "/ ") {
			host = name
		}
		if name := forwarded(r, "X-Forwarded-Proto"); name == "http" || name == "https" {
			scheme = name
		}
	}
	return scheme + "://" + host
}

// isProxy tells whether a request's peer may speak for others.
func (h *Handler) isProxy(peer string) bool {
	address, err := netip.ParseAddrPort(peer)
	return err == nil && slices.ContainsFunc(h.proxies, func(p netip.Prefix) bool {
		return p.Contains(address.Addr().Unmap())
	})
}

// forwarded returns what the client has called, of what all proxies on the way have noted.
func forwarded(r *http.Request, header string) string {
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	return strings.TrimSpace(first)
}

// queueURL returns the URL of one of the caller's queues.
func (c *call) queueURL(name string) string {
	return c.baseURL + "/" + c.caller.Account + "/" + name
}

// queue returns the name of the queue that a request is about: that of its
// QueueUrl, or else of its own path. It tells no difference between another
// account's queue and none.
func (c *call) queue(ctx context.Context, url string) (string, error) {
	if url == "" {
		url = c.path
		if strings.Trim(url, "/") == "" {
			return "", missing("QueueUrl")
		}
	}
	account, name, ok := splitQueueURL(url)
	if !ok {
		return "", errorf(invalidAddress, "The address %s is not valid for this endpoint.", shown(url))
	}
	telemetry.SetQueue(ctx, name)
	if (account != "" && account != c.caller.Account) || !queueName.MatchString(name) {
		return "", errNoQueue
	}
	return name, nil
}

// splitQueueURL reads scheme://host/account/name, /account/name and a bare name.
// Scheme and host are ignored: clients put there what they believe SQS is called.
func splitQueueURL(url string) (account, name string, ok bool) {
	path := url
	if _, rest, found := strings.Cut(url, "://"); found {
		_, path, _ = strings.Cut(rest, "/")
	}
	path = strings.Trim(path, "/")
	account, name, found := strings.Cut(path, "/")
	if !found {
		return "", path, path != ""
	}
	return account, name, name != "" && !strings.Contains(name, "/")
}

// queueARN returns the ARN of one of the caller's queues.
func (c *call) queueARN(name string) string {
	return "arn:aws:sqs:" + c.region + ":" + c.caller.Account + ":" + name
}

// splitARN returns the account and the queue that an ARN names, in whatever
// region: services configured for different ones see the same queues.
func splitARN(arn string) (account, name string, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" {
		return "", "", false
	}
	return parts[4], parts[5], true
}
