package sqs

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"tusq/internal/telemetry"
)

// isQueueName tells whether a queue can be called so: a FIFO queue's name ends with .fifo.
func isQueueName(name string) bool {
	base, fifo := strings.CutSuffix(name, ".fifo")
	if fifo {
		return isWord(base, 75)
	}
	return isWord(base, 80)
}

// isWord tells whether text is 1 to limit letters, digits, hyphens and underscores.
func isWord(text string, limit int) bool {
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return text != "" && len(text) <= limit
}

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
	return c.baseURL(c.request) + "/" + c.caller.Account + "/" + name
}

// queue returns the name of the queue that a request is about: that of its
// QueueUrl, or else of its own path. Where it is another account's, the call goes
// there, and the service tells no difference between what that account does not
// permit and what does not exist.
func (c *call) queue(ctx context.Context, url string) (string, error) {
	if url == "" {
		url = c.request.URL.Path
		if strings.Trim(url, "/") == "" {
			return "", missing("QueueUrl")
		}
	}
	account, name, ok := splitQueueURL(url)
	if !ok {
		return "", errorf(invalidAddress, "The address %s is not valid for this endpoint.", shown(url))
	}
	telemetry.SetQueue(ctx, name)
	if !isQueueName(name) || !c.reach(account) {
		return "", errNoQueue
	}
	return strings.Clone(name), nil // the service keeps names, and this may be a part of the request
}

// reach makes the call one about the queues of an account, unless there can be no such account; empty:
// the caller's own.
func (c *call) reach(account string) bool {
	if account == "" || account == c.caller.Account {
		return true
	}
	c.caller = c.caller.On(strings.Clone(account))
	return accountID.MatchString(account)
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
