package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Key is somebody's permission to call the server.
type Key struct {
	ID             string    `json:"id"`      // the access key id of signatures too
	Account        string    `json:"account"` // whose queues it is for
	Name           string    `json:"name"`
	Actions        []string  `json:"actions"`           // "*" stands for all
	Queues         []string  `json:"queues"`            // names, or beginnings that end with *
	Sources        []string  `json:"sources,omitempty"` // networks that it may be used from; none: all
	CreatedAt      time.Time `json:"created_at"`
	CreatedBy      string    `json:"created_by"`
	ExpiresAt      time.Time `json:"expires_at,omitzero"`       // zero: never
	RevokedAt      time.Time `json:"revoked_at,omitzero"`       // zero: it is not
	LastUsedAt     time.Time `json:"last_used_at,omitzero"`     // to the minute; zero: never
	OldSecretUntil time.Time `json:"old_secret_until,omitzero"` // when the secret that was replaced ends; zero: there is one
}

// KeyWithSecret is a key with its newest secret, which the server tells once.
type KeyWithSecret struct {
	Key
	Secret string `json:"secret"` // the secret access key of signatures
	Token  string `json:"token"`  // for WithToken
}

// CreateKey asks for a key that may do each of the actions with each of the queues.
type CreateKey struct {
	Name             string   `json:"name"`
	Account          string   `json:"account,omitempty"` // whose queues it is for; empty: the caller's own account
	Actions          []string `json:"actions"`           // "*" stands for all
	Queues           []string `json:"queues"`            // names, or beginnings that end with *
	Sources          []string `json:"sources,omitempty"` // networks that it may be used from; none: all
	ExpiresInSeconds int      `json:"expires_in_seconds,omitempty"`
}

// CreateKey makes a key. It is never repeated.
func (c *Client) CreateKey(ctx context.Context, create CreateKey) (KeyWithSecret, error) {
	var key KeyWithSecret
	_, _, err := c.do(ctx, call{name: "CreateKey", method: http.MethodPost, path: "/v1/keys", body: create, once: true}, &key)
	return key, err
}

// Keys returns all keys of an account, by their ids, without those that are revoked; "": of the caller's
// own account. It ends with the first error.
func (c *Client) Keys(ctx context.Context, account string) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		query := url.Values{}
		if account != "" {
			query.Set("account", account)
		}
		for {
			var page struct {
				Keys   []Key  `json:"keys"`
				Cursor string `json:"cursor"`
			}
			_, _, err := c.do(ctx, call{name: "Keys", method: http.MethodGet, path: "/v1/keys", query: query}, &page)
			if err != nil {
				yield(Key{}, err)
				return
			}
			for _, key := range page.Keys {
				if !yield(key, nil) {
					return
				}
			}
			if page.Cursor == "" {
				return
			}
			query.Set("cursor", page.Cursor)
		}
	}
}

// GetKey returns a key, also one that is revoked.
func (c *Client) GetKey(ctx context.Context, id string) (Key, error) {
	var key Key
	err := c.onKey(ctx, call{name: "GetKey", method: http.MethodGet}, id, &key)
	return key, err
}

// RotateKey gives a key another secret. The old one works on for grace, in whole seconds; one
// that was replaced before ends, so the call is never repeated.
func (c *Client) RotateKey(ctx context.Context, id string, grace time.Duration) (KeyWithSecret, error) {
	var key KeyWithSecret
	body := map[string]int64{"grace_seconds": int64(grace / time.Second)}
	err := c.onKey(ctx, call{name: "RotateKey", method: http.MethodPost, path: "/rotate", body: body, once: true}, id, &key)
	return key, err
}

// RevokeKey ends a key for ever.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	return c.onKey(ctx, call{name: "RevokeKey", method: http.MethodDelete}, id, nil)
}

// onKey makes a call on a key, at a path below its own.
func (c *Client) onKey(ctx context.Context, call call, id string, out any) error {
	if id == "" || id == "." || id == ".." {
		return &Error{Code: "key_not_found", Field: "key", Message: "Not a key's id."}
	}
	call.path = "/v1/keys/" + url.PathEscape(id) + call.path
	_, _, err := c.do(ctx, call, out)
	return err
}
