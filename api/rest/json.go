package rest

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"tusq/service"
)

// maxEntries bounds every array and every object with free names, so that a
// small body cannot become a large value. No call takes more.
const maxEntries = service.MaxBatch

// decodeJSON reads data, which must be exactly one JSON value, into target, a
// pointer to a zero value made of structs, slices, maps with string keys,
// strings, ints, bools and pointers to these. It is strict where encoding/json is not:
// names match exactly, none may be unknown or given twice, null is refused (only
// a **T takes it, as a pointer to nil), integers have no fraction or exponent,
// and text that is not Unicode is refused instead of replaced. A field tagged
// `validate:"required"` must be there. Errors name the field by its path.
func decodeJSON(data []byte, target any) error {
	if !utf8.Valid(data) {
		return service.Errorf(service.CodeInvalidRequest, "The body is not valid UTF-8 at byte %d.", invalidAt(data))
	}
	d := decoder{data: data}
	err := d.value(reflect.ValueOf(target).Elem())
	if d.peek(); err == nil && d.pos < len(data) {
		err = d.syntax("data after the JSON value")
	}
	if err != nil {
		return err.serviceError()
	}
	return nil
}

// invalidAt returns the place of the first byte that is not UTF-8.
func invalidAt(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// value reads the next value by v's type.
func (d *decoder) value(v reflect.Value) *decodeError {
	switch v.Kind() {
	case reflect.Pointer:
		return d.pointer(v)
	case reflect.Struct:
		return d.object(v)
	case reflect.Map:
		return d.mapping(v)
	case reflect.Slice:
		return d.array(v)
	case reflect.String:
		return d.string(v)
	case reflect.Int:
		return d.integer(v)
	case reflect.Bool:
		return d.boolean(v)
	}
	panic("rest: no JSON form for " + v.Type().String())
}

func (d *decoder) pointer(v reflect.Value) *decodeError {
	element := v.Type().Elem()
	v.Set(reflect.New(element))
	if element.Kind() == reflect.Pointer && d.literal("null") {
		return nil
	}
	return d.value(v.Elem())
}

func (d *decoder) object(v reflect.Value) *decodeError {
	fields := fieldsOf(v.Type())
	var seen uint64
	err := d.members(func(name []byte) *decodeError {
		i := indexOf(fields, name)
		if i < 0 {
			return wrong("is not a known field")
		}
		if seen&(1<<i) != 0 {
			return wrong("is given twice")
		}
		seen |= 1 << i
		return d.value(v.FieldByIndex(fields[i].index))
	})
	if err != nil {
		return err
	}
	for i, field := range fields {
		if field.required && seen&(1<<i) == 0 {
			err := &decodeError{code: service.CodeMissingParameter, text: "is required"}
			return err.within(field.name)
		}
	}
	return nil
}

func (d *decoder) mapping(v reflect.Value) *decodeError {
	v.Set(reflect.MakeMap(v.Type()))
	return d.members(func(name []byte) *decodeError {
		key := reflect.ValueOf(string(name))
		if v.MapIndex(key).IsValid() {
			return wrong("is given twice")
		}
		if v.Len() == maxEntries {
			return &decodeError{code: service.CodeInvalidParameter, text: "is one entry too many"}
		}
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(element); err != nil {
			return err
		}
		v.SetMapIndex(key, element)
		return nil
	})
}

func (d *decoder) array(v reflect.Value) *decodeError {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.elements(func(n int) *decodeError {
		if n == maxEntries {
			return &decodeError{code: service.CodeBatchTooMany, text: "is one item too many: a call takes " + strconv.Itoa(maxEntries)}
		}
		v.Grow(1)
		v.SetLen(n + 1)
		return d.value(v.Index(n))
	})
}

func (d *decoder) string(v reflect.Value) *decodeError {
	if d.peek() != '"' {
		return d.mismatch("a string")
	}
	text, err := d.text()
	v.SetString(string(text))
	return err
}

func (d *decoder) integer(v reflect.Value) *decodeError {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return d.mismatch("an integer")
	}
	number := d.number()
	if !json.Valid(number) {
		return d.syntax("a malformed number")
	}
	n, err := strconv.ParseInt(string(number), 10, strconv.IntSize)
	switch {
	case err == nil:
		v.SetInt(n)
		return nil
	case strings.ContainsAny(string(number), ".eE"):
		return wrong("must be an integer, without fraction or exponent")
	default:
		return &decodeError{code: service.CodeInvalidParameter, text: "is far out of range"}
	}
}

func (d *decoder) boolean(v reflect.Value) *decodeError {
	switch {
	case d.literal("true"):
		v.SetBool(true)
	case !d.literal("false"):
		return d.mismatch("a boolean")
	}
	return nil
}

// field is one field of a struct, embedded structs' included.
type field struct {
	name     string
	index    []int
	required bool
}

// fieldCache keeps the fields of the request types: reflect.Type to []field.
var fieldCache sync.Map

func fieldsOf(t reflect.Type) []field {
	if known, ok := fieldCache.Load(t); ok {
		return known.([]field)
	}
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		required := strings.HasPrefix(f.Tag.Get("validate"), "required")
		fields = append(fields, field{name: name, index: f.Index, required: required})
	}
	fieldCache.Store(t, fields)
	return fields
}

func indexOf(fields []field, name []byte) int {
	for i := range fields {
		if fields[i].name == string(name) {
			return i
		}
	}
	return -1
}
