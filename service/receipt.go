package service

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"

	"tusq/internal/faultpoint"
)

// A receipt is version | queue incarnation | message id | lease | group id | MAC in
// base64url. The group id, of a FIFO queue's message only, tells which group to lock
// before the message is read. The MAC lets garbage and forged receipts be refused without
// touching the database; whether the lease still holds, the row alone decides.
const (
	receiptVersion = 1
	receiptBody    = 1 + 8 + 16 + 8 // without group id
	receiptMAC     = 16
	maxReceipt     = receiptBody + MaxGroupID + receiptMAC
)

type receipt struct {
	queueID int64
	id      MessageID
	lease   int64
	groupID string
}

// sealer makes and opens receipts with the deployment's key.
type sealer struct{ macs *sync.Pool } // of hash.Hash: to prepare one for the key takes longer than to use it

func newSealer(key []byte) sealer {
	return sealer{macs: &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (s sealer) seal(r receipt) string {
	raw := make([]byte, receiptBody, receiptBody+len(r.groupID)+sha256.Size)
	raw[0] = receiptVersion
	binary.BigEndian.PutUint64(raw[1:], uint64(r.queueID))
	copy(raw[9:], r.id[:])
	binary.BigEndian.PutUint64(raw[25:], uint64(r.lease))
	raw = append(raw, r.groupID...)
	mac := s.mac(raw)
	return base64.RawURLEncoding.EncodeToString(append(raw, mac[:receiptMAC]...))
}

// open returns what a receipt of this deployment says, or an Error with CodeReceiptInvalid.
func (s sealer) open(text string) (receipt, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < receiptBody+receiptMAC || len(raw) > maxReceipt || raw[0] != receiptVersion {
		return receipt{}, errReceiptInvalid()
	}
	body, mac := raw[:len(raw)-receiptMAC], raw[len(raw)-receiptMAC:]
	if right := s.mac(body); !hmac.Equal(right[:receiptMAC], mac) && !faultpoint.Bug("receipt-without-mac") {
		return receipt{}, errReceiptInvalid()
	}
	return receipt{
		queueID: int64(binary.BigEndian.Uint64(raw[1:])),
		id:      MessageID(raw[9:25]),
		lease:   int64(binary.BigEndian.Uint64(raw[25:])),
		groupID: string(body[receiptBody:]),
	}, nil
}

func (s sealer) mac(body []byte) (mac [sha256.Size]byte) {
	h := s.macs.Get().(hash.Hash)
	defer s.macs.Put(h)
	h.Reset()
	h.Write(body)
	h.Sum(mac[:0])
	return mac
}

func errReceiptInvalid() *Error {
	return &Error{Code: CodeReceiptInvalid, Field: "receipt", Message: "This is not a receipt of this queue."}
}
