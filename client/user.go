package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// User is somebody who signs in to the console by a name and a password.
type User struct {
	Name      string    `json:"name"`
	Actions   []string  `json:"actions"` // such as "send_messages"
	Queues    []string  `json:"queues"`  // names, or beginnings of names that end with *
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// CreateUser asks for a user, with no more rights than the caller has.
type CreateUser struct {
	Name     string   `json:"name"`
	Password string   `json:"password"` // 12 characters at least
	Actions  []string `json:"actions"`
	Queues   []string `json:"queues"`
}

// UpdateUser names what to set; nil leaves it as it is. It ends the user's sessions.
type UpdateUser struct {
	Password *string  `json:"password,omitempty"`
	Actions  []string `json:"actions,omitzero"`
	Queues   []string `json:"queues,omitzero"`
}

// UserPage is one page of users.
type UserPage struct {
	Users  []User `json:"users"`
	Cursor string `json:"cursor"` // of the next page; empty on the last
}

// CreateUser makes a user. The code user_exists means that there is one of this name.
func (c *Client) CreateUser(ctx context.Context, create CreateUser) (User, error) {
	var user User
	_, _, err := c.do(ctx, call{name: "CreateUser", method: http.MethodPost, path: "/v1/users", body: create}, &user)
	return user, err
}

// Users goes through all users in the order of their names. It ends after the first error.
func (c *Client) Users(ctx context.Context) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		for cursor := ""; ; {
			var page UserPage
			query := pageQuery("", "", 0, cursor)
			_, _, err := c.do(ctx, call{name: "Users", method: http.MethodGet, path: "/v1/users", query: query}, &page)
			if err != nil {
				yield(User{}, err)
				return
			}
			for _, user := range page.Users {
				if !yield(user, nil) {
					return
				}
			}
			if cursor = page.Cursor; cursor == "" {
				return
			}
		}
	}
}

// UpdateUser sets a user's password or rights and returns the user as it is then.
func (c *Client) UpdateUser(ctx context.Context, name string, update UpdateUser) (User, error) {
	path, err := userPath(name)
	if err != nil {
		return User{}, err
	}
	var user User
	_, _, err = c.do(ctx, call{name: "UpdateUser", method: http.MethodPatch, path: path, body: update}, &user)
	return user, err
}

// DeleteUser deletes a user.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	path, err := userPath(name)
	if err != nil {
		return err
	}
	_, tries, err := c.do(ctx, call{name: "DeleteUser", method: http.MethodDelete, path: path}, nil)
	if tries > 1 && ErrorCode(err) == "user_not_found" {
		return nil // an earlier try deleted it, and its answer was lost
	}
	return err
}

// userPath returns the user's path, as queuePath that of a queue.
func userPath(name string) (string, error) {
	if name == "" || name == "." || name == ".." {
		return "", &Error{Code: "user_not_found", Field: "user", Message: "Not a user's name: " + strconv.Quote(name) + "."}
	}
	return "/v1/users/" + url.PathEscape(name), nil
}
