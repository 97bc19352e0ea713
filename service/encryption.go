package service

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Encryption says what of a queue's messages is encrypted before the database gets it. Names,
// times, sizes, ids, group ids, deduplication ids and trace headers never are.
type Encryption string

// The kinds.
const (
	EncryptionNone Encryption = "none"
	EncryptionBody Encryption = "body" // bodies and attributes
)

// Encryptions lists every kind.
var Encryptions = []Encryption{EncryptionNone, EncryptionBody}

func (e Encryption) valid() error {
	if slices.Contains(Encryptions, e) {
		return nil
	}
	return invalid("encryption", "encryption must be none or body.")
}

// DataKey is a key of one queue's messages, as it is stored: sealed by a master key. It stays
// when its queue is gone, for its messages may have been moved to others.
type DataKey struct {
	ID       int64 // random, positive
	Account  string
	QueueID  int64
	Sealed   []byte
	SealedBy string // the master key's fingerprint
}

// binding is what a data key is sealed with: it opens for its own queue alone.
func (k DataKey) binding() string {
	return fmt.Sprintf("data key %d of queue %d of account %s", k.ID, k.QueueID, k.Account)
}

const (
	dataKeyBytes = 32              // AES-256
	dataKeyAge   = 5 * time.Minute // for which an opened data key is kept
	maxDataKeys  = 10_000          // that are kept; when there are more, all are dropped
)

// dataKeys opens data keys and keeps them for a while.
type dataKeys struct {
	store  DataKeyStore
	master MasterKeys

	mu   sync.RWMutex
	open map[int64]openDataKey
}

type openDataKey struct {
	cipher.AEAD
	account string
	until   time.Time
}

func newDataKeys(store DataKeyStore, master MasterKeys) *dataKeys {
	return &dataKeys{store: store, master: master, open: map[int64]openDataKey{}}
}

// create makes a data key for a queue, to be stored with it.
func (k *dataKeys) create(account string, queueID int64) (*DataKey, error) {
	key := &DataKey{ID: 1 + mathrand.Int64N(1<<62), Account: account, QueueID: queueID}
	secret := make([]byte, dataKeyBytes)
	rand.Read(secret) // never fails
	var err error
	key.Sealed, key.SealedBy, err = k.master.sealBound(secret, key.binding())
	return key, err
}

// get returns an opened data key of an account: rows that name another's, only who writes to the
// database can have made. It fails with CodeMasterKeyMissing where no master key opens it.
func (k *dataKeys) get(ctx context.Context, account string, id int64) (cipher.AEAD, error) {
	k.mu.RLock()
	key, ok := k.open[id]
	k.mu.RUnlock()
	if ok && key.account == account && time.Now().Before(key.until) {
		return key.AEAD, nil
	}
	stored, err := k.store.GetDataKey(ctx, account, id)
	if err != nil {
		return nil, err
	}
	secret, opened := k.master.openBound(stored.Sealed, stored.SealedBy, stored.binding())
	if !opened {
		return nil, errMasterKeyMissing()
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("open data key %d: %w", id, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("open data key %d: %w", id, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.open) >= maxDataKeys {
		clear(k.open)
	}
	k.open[id] = openDataKey{AEAD: aead, account: account, until: time.Now().Add(dataKeyAge)}
	return aead, nil
}

// reseal has all data keys that the first master key has not sealed, and others open, sealed by it;
// closed are those that none opens.
func (k *dataKeys) reseal(ctx context.Context) (resealed, closed int, err error) {
	if k.master.None() {
		return 0, 0, nil
	}
	old, err := k.store.ListDataKeys(ctx, k.master.first())
	if err != nil {
		return 0, 0, err
	}
	for _, key := range old {
		secret, opened := k.master.openBound(key.Sealed, key.SealedBy, key.binding())
		if !opened {
			closed++
			continue
		}
		was := key.SealedBy
		if key.Sealed, key.SealedBy, err = k.master.sealBound(secret, key.binding()); err != nil {
			return resealed, closed, err
		}
		if err := k.store.ResealDataKey(ctx, key, was); err != nil {
			return resealed, closed, err
		}
		resealed++
	}
	return resealed, closed, nil
}

func errMasterKeyMissing() *Error {
	return Errorf(CodeMasterKeyMissing, "This server does not have the master key of the queue's encryption.")
}

// errTampered means that what is stored is not what was encrypted.
var errTampered = errors.New("an encrypted message was changed in the database")

// binding is what each message is encrypted with: its data key.
func messageBinding(dataKey int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(dataKey))
}

// encrypt has a message stored encrypted. Where attributes are stored there is the data key's number
// then, which no attributes are: so a message that is moved to another queue is read there.
func (o *Outgoing) encrypt(by cipher.AEAD, dataKey int64) {
	plain := make([]byte, 0, binary.MaxVarintLen32+len(o.Attributes)+len(o.Body))
	plain = binary.AppendUvarint(plain, uint64(len(o.Attributes)))
	plain = append(append(plain, o.Attributes...), o.Body...)
	o.Body = base64.StdEncoding.EncodeToString(by.Seal(nil, nil, plain, messageBinding(dataKey)))
	o.Attributes = strconv.AppendInt(nil, dataKey, 10)
}

// isEncrypted tells whether a stored message is encrypted.
func (c *Claimed) isEncrypted() bool { return len(c.Attributes) > 0 && c.Attributes[0] != '{' }

// decrypt has an encrypted message of an account as it was sent. It fails with errTampered where it
// is not what was encrypted for that account, and otherwise where its data key cannot be had.
func (s *Service) decrypt(ctx context.Context, account string, c *Claimed) error {
	id, err := strconv.ParseInt(string(c.Attributes), 10, 64)
	if err != nil {
		return errTampered
	}
	key, err := s.dataKeys.get(ctx, account, id)
	if errors.Is(err, ErrNoDataKey) {
		return errTampered
	}
	if err != nil {
		return err
	}
	sealed, err := base64.StdEncoding.DecodeString(c.Message.Body)
	if err != nil {
		return errTampered
	}
	plain, err := key.Open(nil, nil, sealed, messageBinding(id))
	if err != nil {
		return errTampered
	}
	n, size := binary.Uvarint(plain)
	if size <= 0 || n > uint64(len(plain)-size) {
		return errTampered
	}
	c.Attributes = nil
	if n > 0 {
		c.Attributes = plain[size : size+int(n)]
	}
	c.Message.Body = string(plain[size+int(n):])
	return nil
}

func hasEncrypted(messages []Claimed) bool {
	for i := range messages {
		if messages[i].isEncrypted() {
			return true
		}
	}
	return false
}

// decryptAll has the encrypted ones of a queue's messages as they were sent. Those that were changed in
// the database are left out, and said in the log: they must not hold up the others.
func (s *Service) decryptAll(ctx context.Context, q *Queue, messages []Claimed) ([]Claimed, error) {
	if !hasEncrypted(messages) {
		return messages, nil
	}
	readable := messages[:0:0]
	for i := range messages {
		c := messages[i]
		if c.isEncrypted() {
			if err := s.decrypt(ctx, q.Account, &c); errors.Is(err, errTampered) {
				s.log.Error("an encrypted message cannot be read: it was changed in the database",
					"queue", q.Name, "message", uuid.UUID(c.ID).String())
				continue
			} else if err != nil {
				return nil, err
			}
		}
		readable = append(readable, c)
	}
	return readable, nil
}
