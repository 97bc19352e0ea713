package service

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// runKeys learns of changes of keys until ctx ends, and stores when keys were used.
func (s *Service) runKeys(ctx context.Context) error {
	ticker := time.NewTicker(keysInterval)
	defer ticker.Stop()
	failed := false
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.keys.wake:
		case <-ticker.C:
		}
		err := s.lookAtKeys(context.WithoutCancel(ctx))
		if err != nil && !failed {
			s.log.Warn("changes of keys are not known, and keys are as they were", "err", err)
		}
		failed = err != nil
	}
	return nil
}

// lookAtKeys does what is to be done about keys now and then.
func (s *Service) lookAtKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	s.keys.now.Load().endExpired()
	if err := s.keys.refresh(ctx); err != nil {
		return err
	}
	return s.keys.storeUses(ctx)
}

// changedKeys has a change of keys or users known here, and on the other replicas soon.
func (s *Service) changedKeys(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sideTimeout)
	defer cancel()
	s.notifier.add(Event{Identity: true})
	if err := s.keys.refresh(ctx); err != nil { // and again in a moment
		s.log.Warn("a change of keys is not known yet", "err", err)
	}
}

// lookSoon has runKeys look for changes at once.
func (k *keyring) lookSoon() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// seal makes credentials ready to be stored.
func (k *keyring) seal(c Credentials) (KeySecret, error) {
	sealed, by, err := k.master.seal(c)
	return KeySecret{TokenHash: c.tokenHash(), Sealed: sealed, SealedBy: by}, err
}

// reseal has all secrets that the first master key has not sealed, and others open, sealed by it.
// It returns how many there were.
func (k *keyring) reseal(ctx context.Context) (int, error) {
	var old []Resealed
	for id, key := range k.now.Load().keys {
		for _, s := range key.secrets {
			if s.secret == "" || k.master.sealsBy(s.SealedBy) {
				continue
			}
			secret, err := k.seal(Credentials{KeyID: id, Secret: s.secret})
			if err != nil {
				return 0, err
			}
			secret.Number = s.Number
			old = append(old, Resealed{KeyID: id, KeySecret: secret, WasSealedBy: s.SealedBy})
		}
	}
	if len(old) == 0 {
		return 0, nil
	}
	return len(old), k.store.ResealSecrets(ctx, old)
}

// startKeys loads the keys, and seals anew what an older master key has sealed.
func (s *Service) startKeys(ctx context.Context) error {
	if err := s.keys.load(ctx); err != nil {
		return err
	}
	resealed, err := s.keys.reseal(ctx)
	if err != nil {
		return err
	}
	dataKeys, closed, err := s.dataKeys.reseal(ctx)
	if closed > 0 {
		s.log.Warn("data keys of encrypted queues are sealed by a master key that is not given: their messages can be neither sent nor received",
			"data_keys", closed)
	}
	if resealed+dataKeys > 0 && err == nil {
		s.log.Info("what an older master key had sealed is now sealed by the first", "secrets", resealed, "data_keys", dataKeys)
	}
	return err
}

// CreateFirstKey makes an administrator's key of the deployment's own account where there is no
// key that works; of replicas that start together, one makes it. The zero Credentials stand for new ones.
func (s *Service) CreateFirstKey(ctx context.Context, credentials Credentials) (made Credentials, created bool, err error) {
	if credentials == (Credentials{}) {
		credentials = NewCredentials()
	}
	secret, err := s.keys.seal(credentials)
	if err != nil {
		return Credentials{}, false, err
	}
	created, err = s.store.CreateFirstKey(ctx, NewKey{Secret: secret, AccessKey: AccessKey{
		ID: credentials.KeyID, Account: s.account, Name: "bootstrap", CreatedBy: "bootstrap", Rights: Everything(),
	}})
	if err != nil || !created {
		return Credentials{}, false, err
	}
	s.changedKeys(ctx)
	s.record(ctx, Owner(s.account), AuditEntry{Action: auditCreateKey, Resource: keyActor + credentials.KeyID}, nil)
	return credentials, true, nil
}

// keyUses are keys whose use is not stored yet.
type keyUses struct {
	mu  sync.Mutex
	ids map[string]bool
}

// noteUse notes that a key is used, once a minute.
func (k *keyring) noteUse(key *heldKey) {
	minute := 1 + int64(time.Since(k.made)/time.Minute)
	if last := key.state.minute.Load(); last == minute || !key.state.minute.CompareAndSwap(last, minute) {
		return
	}
	k.uses.mu.Lock()
	defer k.uses.mu.Unlock()
	if k.uses.ids == nil {
		k.uses.ids = map[string]bool{}
	}
	k.uses.ids[key.ID] = true
}

// storeUses stores that keys were used a moment ago. What cannot be stored is forgotten: the
// next minute has other uses.
func (k *keyring) storeUses(ctx context.Context) error {
	k.uses.mu.Lock()
	ids := slices.Sorted(maps.Keys(k.uses.ids))
	k.uses.ids = nil
	k.uses.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	return k.store.NoteKeyUses(ctx, ids)
}
