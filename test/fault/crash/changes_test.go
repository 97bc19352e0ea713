package crash

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"tusq/client"
)

// changes are those of what is not messages.
var changes = []operation{
	{name: "create a queue", make: createQueue},
	{name: "create an encrypted queue and send", make: sendEncrypted},
	{name: "encrypt a queue", make: encryptQueue},
	{name: "delay a FIFO queue", make: delayQueue},
	{name: "create a key", make: createKey},
	{name: "rotate a key", make: rotateKey},
	{name: "revoke a key", make: revokeKey},
	{name: "create a user", make: createUser},
	{name: "change a user", make: changeUser},
	{name: "delete a user", make: deleteUser},
}

// done is nil where a call was carried out before, although nobody was told.
func done(err error, again bool, code string) error {
	if again && client.ErrorCode(err) == code {
		return nil
	}
	return err
}

func createQueue(w *world) attempt {
	w.named++
	create := client.CreateQueue{Name: fmt.Sprint("q", w.named)}
	create.Tags = map[string]string{"made": "whole"}
	return attempt{
		do: func(ctx context.Context, _ bool) error {
			_, _, err := w.client.CreateQueue(ctx, create)
			return err
		},
		check: func() {
			if queue, err := w.client.GetQueue(w.t.Context(), create.Name); err != nil || queue.Tags["made"] != "whole" {
				w.t.Errorf("the queue is %+v, %v", queue, err)
			}
			w.fill(create.Name, "", "a")
			w.gives(create.Name, true, "a")
		},
	}
}

// sendEncrypted makes a queue, whose data key the send needs.
func sendEncrypted(w *world) attempt {
	w.named++
	create := client.CreateQueue{Name: fmt.Sprint("q", w.named)}
	create.Encryption = "body"
	return attempt{
		do: func(ctx context.Context, _ bool) error {
			if _, _, err := w.client.CreateQueue(ctx, create); err != nil {
				return err
			}
			_, err := w.client.Send(ctx, create.Name, message("", "a"), client.WithIdempotencyKey("key"))
			return err
		},
		check: func() {
			w.encrypted(create.Name)
			w.gives(create.Name, true, "a")
		},
	}
}

// encrypted checks that no message of a queue is stored as it was sent.
func (w *world) encrypted(queue string) {
	w.t.Helper()
	for _, body := range w.bodies(queue) {
		if len(body) == 1 {
			w.t.Errorf("%s holds %q", queue, body)
		}
	}
}

// encryptQueue has a queue's next messages encrypted.
func encryptQueue(w *world) attempt {
	queue := w.newQueue("", nil)
	return attempt{
		do: func(ctx context.Context, _ bool) error {
			_, err := w.client.UpdateQueue(ctx, queue, client.UpdateQueue{Settings: client.Settings{Encryption: "body"}})
			return err
		},
		check: func() {
			w.fill(queue, "", "a")
			w.encrypted(queue)
			w.gives(queue, true, "a")
		},
	}
}

// delayQueue delays a FIFO queue's messages anew, whose groups then are ready later.
func delayQueue(w *world) attempt {
	queue := w.newQueue(client.FIFOSuffix, nil)
	w.fill(queue, client.FIFOSuffix, "a", "b")
	seconds := 29
	return attempt{
		do: func(ctx context.Context, _ bool) error {
			_, err := w.client.UpdateQueue(ctx, queue, client.UpdateQueue{Settings: client.Settings{DelaySeconds: &seconds}})
			return err
		},
		check: func() {
			if early, err := w.receive(w.t.Context(), queue); err != nil || len(early) > 0 {
				w.t.Errorf("received %+v before their delay was over, %v", early, err)
			}
			w.gives(queue, true, "a", "b")
		},
	}
}

// createKey makes a key, and one more where the first answer was lost: each has its secret and is in the audit log.
func createKey(w *world) attempt {
	create := w.nextKey()
	var made client.KeyWithSecret
	calls := 0
	return attempt{
		do: func(ctx context.Context, _ bool) (err error) {
			calls++
			made, err = w.client.CreateKey(ctx, create)
			return err
		},
		check: func() {
			if n := w.ask(`SELECT count(*) FROM keys WHERE name = $1`, create.Name); n > calls {
				w.t.Errorf("%d calls have made %d keys", calls, n)
			}
			w.holdsToken(made, 1)
			w.sound()
		},
	}
}

// holdsToken checks that a key has so many secrets at most, and that the last is the one that was told.
func (w *world) holdsToken(key client.KeyWithSecret, most int) {
	w.t.Helper()
	hash := sha256.Sum256([]byte(key.Token))
	if n := w.ask(`
SELECT count(*)
FROM key_secrets s
WHERE key_id = $1 AND token_hash = $2 AND number = (SELECT max(number) FROM key_secrets WHERE key_id = $1)`, key.ID, hash[:]); n != 1 {
		w.t.Errorf("the secret that was told is not the key's last")
	}
	if n := w.ask(`SELECT count(*) FROM key_secrets WHERE key_id = $1`, key.ID); n > most {
		w.t.Errorf("the key has %d secrets", n)
	}
}

// nextKey asks for a key with a name of its own.
func (w *world) nextKey() client.CreateKey {
	w.named++
	return client.CreateKey{Name: fmt.Sprint("key ", w.named), Actions: []string{"*"}, Queues: []string{"*"}}
}

// newKey makes a key without a fault.
func (w *world) newKey() string {
	w.t.Helper()
	key, err := w.client.CreateKey(w.t.Context(), w.nextKey())
	if err != nil {
		w.t.Fatal(err)
	}
	return key.ID
}

func rotateKey(w *world) attempt {
	id := w.newKey()
	var rotated client.KeyWithSecret
	return attempt{
		do: func(ctx context.Context, _ bool) (err error) {
			rotated, err = w.client.RotateKey(ctx, id, time.Hour)
			return err
		},
		check: func() {
			w.holdsToken(rotated, 2)
			w.sound()
		},
	}
}

func revokeKey(w *world) attempt {
	id := w.newKey()
	return attempt{
		do: func(ctx context.Context, again bool) error {
			return done(w.client.RevokeKey(ctx, id), again, "key_not_found")
		},
		check: func() {
			if w.ask(`SELECT count(*) FROM keys WHERE id = $1 AND revoked_at IS NOT NULL`, id) != 1 {
				w.t.Error("the key is not revoked")
			}
			w.sound()
		},
	}
}

// nextUser asks for a user with a name of its own.
func (w *world) nextUser() client.CreateUser {
	w.named++
	return client.CreateUser{Name: fmt.Sprint("user", w.named), Password: "a password of a test", Actions: []string{"*"}, Queues: []string{"*"}}
}

// newUser makes a user without a fault.
func (w *world) newUser() client.CreateUser {
	w.t.Helper()
	create := w.nextUser()
	if _, err := w.client.CreateUser(w.t.Context(), create); err != nil {
		w.t.Fatal(err)
	}
	return create
}

// users counts those of a name that may do an action.
func (w *world) users(name, action string) int {
	w.t.Helper()
	w.sound()
	return w.ask(`SELECT count(*) FROM users WHERE name = $1 AND $2 = ANY (actions)`, name, action)
}

func createUser(w *world) attempt {
	create := w.nextUser()
	return attempt{
		do: func(ctx context.Context, again bool) error {
			_, err := w.client.CreateUser(ctx, create)
			return done(err, again, "user_exists")
		},
		check: func() {
			if w.users(create.Name, "*") != 1 {
				w.t.Error("there is no such user")
			}
		},
	}
}

func changeUser(w *world) attempt {
	user := w.newUser()
	return attempt{
		do: func(ctx context.Context, _ bool) error {
			_, err := w.client.UpdateUser(ctx, user.Name, client.UpdateUser{Actions: []string{"get_queue"}})
			return err
		},
		check: func() {
			if w.users(user.Name, "get_queue") != 1 {
				w.t.Error("the user was not changed")
			}
		},
	}
}

func deleteUser(w *world) attempt {
	user := w.newUser()
	return attempt{
		do: func(ctx context.Context, again bool) error {
			return done(w.client.DeleteUser(ctx, user.Name), again, "user_not_found")
		},
		check: func() {
			if w.users(user.Name, "*") != 0 {
				w.t.Error("the user is still there")
			}
		},
	}
}
