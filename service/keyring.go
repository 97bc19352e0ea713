package service

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// keysInterval is how often it is checked whether keys have changed, which makes up for lost
// notifications: revocation takes so long at most, and what a query takes.
const keysInterval = 2 * time.Second

// keyring holds all keys that work, so that neither a known nor an unknown key costs a query.
// While the database is away it stays as it was last known.
type keyring struct {
	store  KeyStore
	master MasterKeys
	rates  Rates
	log    *slog.Logger
	uses   keyUses
	wake   chan struct{} // has runKeys look for changes at once
	made   time.Time     // when this was

	now atomic.Pointer[heldKeys]
	mu  sync.Mutex // of replacing now
}

// heldKeys are the keys of one load. They are not changed: the next load makes others.
type heldKeys struct {
	version  int64
	at       time.Time     // when it was loaded, by this process's clock
	skew     time.Duration // by which the database's clock is ahead of that
	keys     map[string]*heldKey
	accounts map[string]*rate.Limiter
}

// heldKey is a key, with what lasts from one load to the next.
type heldKey struct {
	AccessKey
	whole   *credential // of those who were recognised by the key's id alone
	secrets []heldSecret
	state   *keyState
	account *rate.Limiter // of all the account's keys; nil: no limit
}

type heldSecret struct {
	KeySecret
	secret Secret // "": no master key opens it
	*credential
}

// keyState is what a key's requests change.
type keyState struct {
	limiter *rate.Limiter // nil: no limit
	minute  atomic.Int64  // of its last use that was noted, from the keyring's beginning
}

// credential is a way to be recognised as a key, which ends.
type credential struct {
	actor actor
	once  sync.Once
	over  chan struct{}
}

func newCredential(key AccessKey) *credential {
	c := &credential{over: make(chan struct{})}
	c.actor = actor{name: keyActor + key.ID, account: key.Account, rights: key.Rights.grants(), bounds: key.bounds(), ended: c.over}
	return c
}

// end has calls that wait know that the credential is no longer one.
func (c *credential) end() { c.once.Do(func() { close(c.over) }) }

func newKeyring(store KeyStore, opts Options) *keyring {
	k := &keyring{store: store, master: opts.MasterKeys, rates: opts.Rates, log: opts.Logger, wake: make(chan struct{}, 1), made: time.Now()}
	k.now.Store(&heldKeys{})
	return k
}

// clock is the database's time, as far as it is known.
func (h *heldKeys) clock() time.Time { return h.at.Add(time.Since(h.at)).Add(h.skew) }

// load reads all keys anew.
func (k *keyring) load(ctx context.Context) error {
	began := k.now.Load()
	set, err := k.store.LoadKeys(ctx)
	if err != nil {
		return err
	}
	k.replace(began, set)
	return nil
}

// refresh is load where something has changed.
func (k *keyring) refresh(ctx context.Context) error {
	version, err := k.store.IdentityVersion(ctx)
	if err != nil || version == k.now.Load().version {
		return err
	}
	return k.load(ctx)
}

// replace makes a load the one that counts, and ends what is no longer part of it. began are the
// keys that were held when the load began: of loads at the same time the later version counts. One
// that began after all others may be of an earlier version, after a failover that lost changes.
func (k *keyring) replace(began *heldKeys, set KeySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.now.Load()
	if began != before && set.Version <= before.version {
		return
	}
	now := time.Now()
	held := &heldKeys{
		version: set.Version, at: now, skew: set.Now.Sub(now),
		keys: make(map[string]*heldKey, len(set.Keys)), accounts: map[string]*rate.Limiter{},
	}
	closed := 0
	for _, loaded := range set.Keys {
		account, known := held.accounts[loaded.Account]
		if !known {
			if account, known = before.accounts[loaded.Account]; !known {
				account = newLimiter(k.rates.PerAccount)
			}
			held.accounts[loaded.Account] = account
		}
		key, unopened := k.hold(loaded, before.keys[loaded.ID])
		key.account = account
		held.keys[loaded.ID] = key
		closed += unopened
	}
	k.now.Store(held)
	for id, old := range before.keys {
		old.endWithout(held.keys[id])
	}
	if closed > 0 && !k.master.None() {
		k.log.Warn("secrets of keys are sealed by a master key that is not given: their signatures cannot be verified, "+
			"while tokens of these keys work", "secrets", closed)
	}
}

// hold makes a heldKey of a loaded one. What has not changed since before lasts. It counts the
// secrets that are new and that no master key opens.
func (k *keyring) hold(loaded LoadedKey, before *heldKey) (key *heldKey, unopened int) {
	key = &heldKey{AccessKey: loaded.AccessKey}
	if before != nil {
		key.state = before.state
	} else {
		key.state = &keyState{limiter: newLimiter(k.rates.PerKey)}
	}
	if before != nil && !before.sameRights(loaded.AccessKey) {
		before = nil
	}
	if before != nil {
		key.whole = before.whole
	} else {
		key.whole = newCredential(loaded.AccessKey)
	}
	for _, stored := range loaded.Secrets {
		secret := heldSecret{KeySecret: stored}
		if old := before.find(stored); old != nil {
			secret.credential, secret.secret = old.credential, old.secret
		} else {
			secret.credential = newCredential(loaded.AccessKey)
			var opened bool
			if secret.secret, opened = k.master.open(loaded.ID, stored.Sealed, stored.SealedBy); !opened {
				unopened++
			}
		}
		key.secrets = append(key.secrets, secret)
	}
	return key, unopened
}

// sameRights tells whether callers of the key may do now what they may do as k.
func (k *heldKey) sameRights(now AccessKey) bool {
	return k.Account == now.Account && reflect.DeepEqual(k.Rights, now.Rights) && reflect.DeepEqual(k.Sources, now.Sources)
}

// find returns the secret of a key that is the stored one, or nil.
func (k *heldKey) find(stored KeySecret) *heldSecret {
	if k == nil {
		return nil
	}
	for i, s := range k.secrets {
		if s.Number == stored.Number && slices.Equal(s.TokenHash, stored.TokenHash) {
			return &k.secrets[i]
		}
	}
	return nil
}

// endWithout ends what is not part of what a key is now; nil: it is no more.
func (k *heldKey) endWithout(now *heldKey) {
	if now == nil || now.whole != k.whole {
		k.whole.end()
	}
	for _, s := range k.secrets {
		if found := now.find(s.KeySecret); found == nil || found.credential != s.credential {
			s.end()
		}
	}
}

// endExpired ends what has expired since the keys were loaded.
func (h *heldKeys) endExpired() {
	now := h.clock()
	for _, key := range h.keys {
		over := isOver(key.ExpiresAt, now)
		if over {
			key.whole.end()
		}
		for _, s := range key.secrets {
			if over || isOver(s.ExpiresAt, now) {
				s.end()
			}
		}
	}
}

// isOver tells whether an end, of which the zero one never comes, has come.
func isOver(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// live returns the key of an id with those of its secrets that have not ended; nil: there is none.
func (h *heldKeys) live(id string) (key *heldKey, secrets []heldSecret) {
	key = h.keys[id]
	if key == nil {
		return nil, nil
	}
	now := h.clock()
	if isOver(key.ExpiresAt, now) {
		return nil, nil
	}
	secrets = key.secrets
	for len(secrets) > 0 && isOver(secrets[0].ExpiresAt, now) { // the latest has no end
		secrets = secrets[1:]
	}
	return key, secrets
}

// CallerOfToken returns the caller whose token it is, or an Error with CodeUnauthenticated,
// CodeForbidden where its key may not be used from there, or CodeRateLimited.
func (s *Service) CallerOfToken(ctx context.Context, token string, from netip.Addr) (Caller, error) {
	credentials, ok := ParseToken(token)
	if !ok {
		return Caller{}, s.refuseKey(ctx, "", from, errUnauthenticated())
	}
	hash := sha256.Sum256([]byte(token))
	key, secrets := s.keys.now.Load().live(credentials.KeyID)
	var found *credential
	for i := range maxKeySecrets { // as many for every id
		stored := noHash[:]
		if i < len(secrets) {
			stored = secrets[i].TokenHash
		}
		if subtle.ConstantTimeCompare(hash[:], stored) == 1 && i < len(secrets) {
			found = secrets[i].credential
		}
	}
	if found == nil {
		return Caller{}, s.refuseKey(ctx, credentials.KeyID, from, errUnauthenticated())
	}
	return s.admitKey(ctx, key, found, from)
}

// maxKeySecrets is how many secrets a key has at most: two while one takes the other's place.
const maxKeySecrets = 2

// noHash stands for the hash of a token that does not exist.
var noHash [sha256.Size]byte

// SecretsOf returns the secrets that requests of a key may be signed by: two at most, none of a
// key that is not known. It is for those who compare signatures.
func (s *Service) SecretsOf(keyID string) []Secret {
	_, secrets := s.keys.now.Load().live(keyID)
	opened := make([]Secret, 0, maxKeySecrets)
	for _, secret := range secrets {
		if secret.secret != "" {
			opened = append(opened, secret.secret)
		}
	}
	return opened
}

// CallerOfSecret returns the caller who has signed a request by one of SecretsOf. It is for those
// who have verified the signature; the errors are those of CallerOfToken.
func (s *Service) CallerOfSecret(ctx context.Context, keyID string, signedBy Secret, from netip.Addr) (Caller, error) {
	key, secrets := s.keys.now.Load().live(keyID)
	for _, secret := range secrets {
		if secret.secret != "" && subtle.ConstantTimeCompare([]byte(secret.secret), []byte(signedBy)) == 1 {
			return s.admitKey(ctx, key, secret.credential, from)
		}
	}
	return Caller{}, s.refuseKey(ctx, keyID, from, errUnauthenticated())
}

// CallerOfKey returns the caller who is a key, whatever becomes of its secrets. It is for those
// who have recognised the key before and remember that: sessions. The errors are those of CallerOfToken.
func (s *Service) CallerOfKey(ctx context.Context, keyID string, from netip.Addr) (Caller, error) {
	key, _ := s.keys.now.Load().live(keyID)
	if key == nil {
		return Caller{}, s.refuseKey(ctx, keyID, from, errUnauthenticated())
	}
	return s.admitKey(ctx, key, key.whole, from)
}

// admitKey returns the caller of a key that was recognised, unless it may not call from there, or
// calls too often.
func (s *Service) admitKey(ctx context.Context, key *heldKey, c *credential, from netip.Addr) (Caller, error) {
	if !key.isFrom(from) {
		return Caller{}, s.refuseKey(ctx, key.ID, from, Errorf(CodeForbidden, "This key may not be used from this network."))
	}
	now := time.Now()
	if !allow(key.state.limiter, now) {
		return Caller{}, Errorf(CodeRateLimited, "The key has made too many requests. Try again in a moment.")
	}
	if !allow(key.account, now) {
		return Caller{}, Errorf(CodeRateLimited, "The account's keys have made too many requests. Try again in a moment.")
	}
	s.keys.noteUse(key)
	return Caller{Account: key.Account, From: from, actor: &c.actor}, nil
}

// isFrom tells whether a key may be used from an address; where the address is not known, only
// a key that may be used from everywhere.
func (k *heldKey) isFrom(from netip.Addr) bool {
	return len(k.Sources) == 0 || slices.ContainsFunc(k.Sources, func(network netip.Prefix) bool {
		return network.Contains(from.Unmap())
	})
}

// refuseKey notes that credentials were refused; keyID is "" where they name none.
func (s *Service) refuseKey(ctx context.Context, keyID string, from netip.Addr, why *Error) error {
	s.RefusedCredentials(ctx, from, keyID, why.Code)
	return why
}
