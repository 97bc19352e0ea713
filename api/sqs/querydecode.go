package sqs

import (
	"cmp"
	"encoding/base64"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// noIndex is the place of an item that is named without one: older clients write
// AttributeName=All and Attribute.Name=..., and mean a list of one.
const noIndex = -1

// maxIndexDigits keeps indexes inside 32 bits. An index is an order, not a length:
// gaps are closed, so that it costs nothing to be large.
const maxIndexDigits = 9

// decodeQuery fills in an action's input. Names that it does not have are passed
// over, as the JSON decoder does, on every level.
func decodeQuery(parameters []parameter, input any) error {
	value := reflect.ValueOf(input).Elem()
	o := object{plan: planOf(value.Type()), value: value}
	for _, p := range parameters {
		if err := o.set(p, p.name); err != nil {
			return err
		}
	}
	return o.finish()
}

// object is a struct that is being filled in.
type object struct {
	plan       *plan
	value      reflect.Value
	given      uint64 // the bits of the fields that have their value
	containers []*container
}

// container is a list or a map whose items arrive in any order.
type container struct {
	field *field
	place map[int]int // from an item's index to its place in items
	items []*item
}

// item is an item of a list or an entry of a map.
type item struct {
	index    int
	key      string
	value    reflect.Value
	object   object // of a structure; shares its value
	hasKey   bool
	hasValue bool
}

// set takes a parameter of which path is what is left of its name.
func (o *object) set(p parameter, path string) error {
	name, rest, deeper := strings.Cut(path, ".")
	f := o.plan.byName[name]
	if f == nil {
		return nil
	}
	if f.form != formSingle {
		if p.value == "" && !deeper {
			return nil // how a client writes an empty list
		}
		return o.container(f).set(p, rest)
	}
	switch {
	case deeper:
		return malformed(p.name)
	case o.given&f.bit != 0:
		return twice(p.name)
	}
	o.given |= f.bit
	target := o.value.FieldByIndex(f.index)
	if f.pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	return setScalar(target, f.scalar, p)
}

func (o *object) container(f *field) *container {
	for _, c := range o.containers {
		if c.field == f {
			return c
		}
	}
	c := &container{field: f, place: make(map[int]int)}
	o.containers = append(o.containers, c)
	return c
}

func (c *container) set(p parameter, path string) error {
	index, path, ok := cutIndex(path)
	if !ok {
		return malformed(p.name)
	}
	if c.field.form == formList {
		return c.item(index).setValue(c.field.scalar, p, path)
	}
	name, rest, deeper := strings.Cut(path, ".")
	switch name {
	case c.field.key:
		return c.item(index).setKey(p, deeper)
	case c.field.value:
		return c.item(index).setValue(c.field.scalar, p, rest)
	case "":
		return malformed(p.name)
	}
	return nil
}

// item returns the item with this index, new if need be.
func (c *container) item(index int) *item {
	if place, found := c.place[index]; found {
		return c.items[place]
	}
	i := &item{index: index, value: reflect.New(c.field.item).Elem()}
	if c.field.scalar == scalarStruct {
		i.object = object{plan: c.field.plan, value: i.value}
	}
	c.place[index] = len(c.items)
	c.items = append(c.items, i)
	return i
}

func (i *item) setKey(p parameter, deeper bool) error {
	switch {
	case deeper:
		return malformed(p.name)
	case i.hasKey:
		return twice(p.name)
	}
	i.key, i.hasKey = p.value, true
	return nil
}

func (i *item) setValue(s scalar, p parameter, path string) error {
	if s == scalarStruct {
		if path == "" {
			return malformed(p.name)
		}
		i.hasValue = true
		return i.object.set(p, path)
	}
	switch {
	case path != "":
		return malformed(p.name)
	case i.hasValue:
		return twice(p.name)
	}
	i.hasValue = true
	return setScalar(i.value, s, p)
}

// finish puts the lists and maps in their places.
func (o *object) finish() error {
	for _, c := range o.containers {
		if len(c.items) == 0 {
			continue
		}
		slices.SortFunc(c.items, func(a, b *item) int { return cmp.Compare(a.index, b.index) })
		for _, i := range c.items {
			if err := i.object.finish(); err != nil {
				return err
			}
		}
		target := o.value.FieldByIndex(c.field.index)
		if c.field.form == formList {
			c.fillList(target)
			continue
		}
		if err := c.fillMap(target); err != nil {
			return err
		}
	}
	return nil
}

func (c *container) fillList(target reflect.Value) {
	target.Set(reflect.MakeSlice(target.Type(), len(c.items), len(c.items)))
	for place, i := range c.items {
		target.Index(place).Set(i.value)
	}
}

// fillMap refuses entries without a key or a value, and two with the same key. What an
// entry that is a structure, a message attribute, lacks is empty: its message is refused,
// and not the whole request.
func (c *container) fillMap(target reflect.Value) error {
	target.Set(reflect.MakeMapWithSize(target.Type(), len(c.items)))
	optional := c.field.scalar == scalarStruct
	for _, i := range c.items {
		key := reflect.ValueOf(i.key)
		switch {
		case !i.hasKey && !optional:
			return missing(c.nameOf(i, c.field.key))
		case !i.hasValue && !optional:
			return missing(c.nameOf(i, c.field.value))
		case target.MapIndex(key).IsValid():
			return invalidValue(i.key, c.nameOf(i, c.field.key), "Must be unique.")
		}
		target.SetMapIndex(key, i.value)
	}
	return nil
}

// nameOf returns the name of a member of an entry, in the way of its request.
func (c *container) nameOf(i *item, member string) string {
	if i.index == noIndex {
		return c.field.name + "." + member
	}
	return c.field.name + "." + strconv.Itoa(i.index) + "." + member
}

// cutIndex takes the index from the front of a path, if there is one.
func cutIndex(path string) (index int, rest string, ok bool) {
	first, rest, _ := strings.Cut(path, ".")
	if first == "" || first[0] < '0' || first[0] > '9' {
		return noIndex, path, true
	}
	index, err := strconv.Atoi(first)
	return index, rest, err == nil && len(first) <= maxIndexDigits
}

// setScalar parses a value that is not a structure.
func setScalar(target reflect.Value, s scalar, p parameter) error {
	switch s {
	case scalarText:
		target.SetString(p.value)
	case scalarInteger:
		number, err := strconv.ParseInt(p.value, 10, target.Type().Bits())
		if err != nil {
			return invalidValue(p.value, p.name, "Must be an integer.")
		}
		target.SetInt(number)
	case scalarBoolean:
		if p.value != "true" && p.value != "false" {
			return invalidValue(p.value, p.name, "Must be true or false.")
		}
		target.SetBool(p.value == "true")
	case scalarBinary:
		decoded, err := base64.StdEncoding.DecodeString(p.value)
		if err != nil {
			return invalidValue(p.value, p.name, "Must be base64.")
		}
		target.SetBytes(decoded)
	}
	return nil
}

func malformed(parameter string) *apiError {
	return errorf(malformedInput, "The parameter %s has no value of its name's form.", shown(parameter))
}

func twice(parameter string) *apiError {
	return errorf(malformedInput, "The parameter %s is given more than once.", shown(parameter))
}
