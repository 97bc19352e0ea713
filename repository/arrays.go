package repository

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// The arrays of hot statements are written to the wire in one pass. By its own ways pgx
// plans and copies each element, which was a fifth of all that a send allocated.
//
// A one-dimensional array in PostgreSQL's binary format (array_send): the number of
// dimensions, whether there are NULLs, the elements' type, the length, the lower bound, and
// then each element's length, -1 for NULL, and bytes.

// array is a value for a parameter of an array type.
type array interface {
	length() int
	// appendElement appends element i in binary format. It tells where that is NULL.
	appendElement(buf []byte, i int) (after []byte, null bool)
}

type (
	uuidArray [][16]byte
	textArray []string
	int8Array []int64

	// In these a zero value is NULL.
	nullUUIDArray [][16]byte
	nullTextArray []string
	nullInt8Array []int64
)

func (a uuidArray) length() int     { return len(a) }
func (a textArray) length() int     { return len(a) }
func (a int8Array) length() int     { return len(a) }
func (a nullUUIDArray) length() int { return len(a) }
func (a nullTextArray) length() int { return len(a) }
func (a nullInt8Array) length() int { return len(a) }

func (a uuidArray) appendElement(buf []byte, i int) ([]byte, bool) {
	return append(buf, a[i][:]...), false
}
func (a textArray) appendElement(buf []byte, i int) ([]byte, bool) {
	return append(buf, a[i]...), false
}
func (a int8Array) appendElement(buf []byte, i int) ([]byte, bool) {
	return binary.BigEndian.AppendUint64(buf, uint64(a[i])), false
}

func (a nullUUIDArray) appendElement(buf []byte, i int) ([]byte, bool) {
	if a[i] == [16]byte{} {
		return buf, true
	}
	return append(buf, a[i][:]...), false
}

func (a nullTextArray) appendElement(buf []byte, i int) ([]byte, bool) {
	return append(buf, a[i]...), a[i] == ""
}

func (a nullInt8Array) appendElement(buf []byte, i int) ([]byte, bool) {
	if a[i] == 0 {
		return buf, true
	}
	return binary.BigEndian.AppendUint64(buf, uint64(a[i])), false
}

// elementTypes are the array types that are written so, and their elements' types.
var elementTypes = map[uint32]uint32{
	pgtype.UUIDArrayOID: pgtype.UUIDOID,
	pgtype.TextArrayOID: pgtype.TextOID,
	pgtype.Int8ArrayOID: pgtype.Int8OID,
	pgtype.JSONArrayOID: pgtype.JSONOID,
}

// arrayCodec writes arrays, and leaves all other values to the type's own codec.
type arrayCodec struct {
	pgtype.Codec
	element uint32
}

// PlanEncode plans how value is written.
func (c arrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(array); ok && format == pgtype.BinaryFormatCode {
		return arrayPlan(c.element)
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// arrayPlan writes arrays of an element type.
type arrayPlan uint32

// Encode appends an array in binary format.
func (p arrayPlan) Encode(value any, buf []byte) ([]byte, error) {
	a, ok := value.(array)
	if !ok {
		return nil, fmt.Errorf("%T is no array", value)
	}
	start := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, 1)
	buf = binary.BigEndian.AppendUint32(buf, 0)
	buf = binary.BigEndian.AppendUint32(buf, uint32(p))
	buf = binary.BigEndian.AppendUint32(buf, uint32(a.length()))
	buf = binary.BigEndian.AppendUint32(buf, 1)
	for i := range a.length() {
		buf = binary.BigEndian.AppendUint32(buf, ^uint32(0))
		before := len(buf)
		var null bool
		if buf, null = a.appendElement(buf, i); null {
			binary.BigEndian.PutUint32(buf[start+4:], 1)
		} else {
			binary.BigEndian.PutUint32(buf[before-4:], uint32(len(buf)-before))
		}
	}
	return buf, nil
}

// registerArrays makes a connection write arrays so.
func registerArrays(_ context.Context, conn *pgx.Conn) error {
	types := conn.TypeMap()
	for oid, element := range elementTypes {
		t, ok := types.TypeForOID(oid)
		if !ok {
			return fmt.Errorf("type %d is not known", oid)
		}
		types.RegisterType(&pgtype.Type{Name: t.Name, OID: oid, Codec: arrayCodec{t.Codec, element}})
	}
	return nil
}
