package service

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// A receipt is version | queue incarnation | message id | lease | MAC in base64url.
// The MAC lets garbage and forged receipts be refused without touching the database;
// whether the lease still holds, the row alone decides.
const (
	receiptVersion = 1
	receiptBody    = 1 + 8 + 16 + 8
	receiptMAC     = 16
	receiptSize    = receiptBody + receiptMAC
)

type receipt struct {
	queueID int64
	id      MessageID
	lease   int64
}

// sealer makes and opens receipts with the deployment's key.
type sealer struct{ key []byte }

func (s sealer) seal(r receipt) string {
	raw := make([]byte, receiptBody, receiptBody+sha256.Size)
	raw[0] = receiptVersion
	binary.BigEndian.PutUint64(raw[1:], uint64(r.queueID))
	copy(raw[9:], r.id[:])
	binary.BigEndian.PutUint64(raw[25:], uint64(r.lease))
	return base64.RawURLEncoding.EncodeToString(s.mac(raw)[:receiptSize])
}

// open returns what a receipt of this deployment says, or an Error with CodeReceiptInvalid.
func (s sealer) open(text string) (receipt, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != receiptSize || raw[0] != receiptVersion {
		return receipt{}, errReceiptInvalid()
	}
	want := s.mac(append([]byte(nil), raw[:receiptBody]...))
	if !hmac.Equal(want[:receiptSize], raw) {
		return receipt{}, errReceiptInvalid()
	}
	return receipt{
		queueID: int64(binary.BigEndian.Uint64(raw[1:])),
		id:      MessageID(raw[9:25]),
		lease:   int64(binary.BigEndian.Uint64(raw[25:])),
	}, nil
}

// mac appends the MAC of body to it.
func (s sealer) mac(body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(body)
	return h.Sum(body)
}

func errReceiptInvalid() *Error {
	return &Error{Code: CodeReceiptInvalid, Field: "receipt", Message: "This is not a receipt of this queue."}
}
