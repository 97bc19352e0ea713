package sqs

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// plan says how the Query protocol speaks of a struct: what the tags say, read once.
type plan struct {
	fields []*field // in the struct's order
	byName map[string]*field
}

// field is a member in the Query protocol.
type field struct {
	name       string // of a value, of a list's items, or of a map's entries
	afterName  bool   // the name follows the action's
	key, value string // the names in a map's entry
	index      []int  // the way to the Go field
	bit        uint64 // of its struct, for one bit for each field
	form       form
	item       reflect.Type // of a list or map
	scalar     scalar       // what it holds, or what its items do
	pointer    bool         // nil where it is not given
	omitEmpty  bool
	plan       *plan // of structures
}

// form is how many values a field holds.
type form int

const (
	formSingle form = iota
	formList        // flattened: Name.1, Name.2
	formMap         // flattened: Name.1.Key, Name.1.Value
)

// scalar is a kind of value.
type scalar int

const (
	scalarText scalar = iota
	scalarInteger
	scalarBoolean
	scalarBinary
	scalarStruct
)

// plans holds a *plan for each reflect.Type that was asked for.
var plans sync.Map

// planOf returns the plan of a struct's type.
func planOf(t reflect.Type) *plan {
	if found, ok := plans.Load(t); ok {
		return found.(*plan)
	}
	p := newPlan(t)
	plans.Store(t, p)
	return p
}

// newPlan reads the tags. It panics where a type has what the protocol has no form for.
func newPlan(t reflect.Type) *plan {
	p := &plan{byName: make(map[string]*field)}
	for _, goField := range reflect.VisibleFields(t) {
		if goField.Anonymous || goField.Tag.Get("query") == "-" {
			continue
		}
		f := newField(goField)
		f.bit = 1 << len(p.fields)
		if p.byName[f.name] != nil || f.bit == 0 {
			panic(fmt.Sprintf("sqs: %v has too many fields, or two named %s", t, f.name))
		}
		p.fields = append(p.fields, f)
		p.byName[f.name] = f
		if f.form == formMap {
			p.byName[goField.Name] = f // SDKs for Java have written Tags.1.Key
		}
	}
	return p
}

func newField(goField reflect.StructField) *field {
	f := &field{name: goField.Name, index: goField.Index}
	f.omitEmpty = strings.HasSuffix(goField.Tag.Get("json"), ",omitempty")
	names := strings.Split(goField.Tag.Get("query"), ",")
	if names[0] != "" {
		f.name, f.afterName = strings.CutPrefix(names[0], "*")
	}
	t := goField.Type
	switch {
	case t.Kind() == reflect.Map:
		if len(names) != 3 {
			panic("sqs: the map " + goField.Name + " needs three names")
		}
		f.form, f.key, f.value = formMap, names[1], names[2]
		t = t.Elem()
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		f.form = formList
		t = t.Elem()
	case t.Kind() == reflect.Pointer:
		f.pointer = true
		t = t.Elem()
	}
	f.item, f.scalar = t, scalarOf(t)
	if f.scalar != scalarStruct {
		return f
	}
	if f.form == formSingle {
		panic("sqs: the Query protocol has no form for the structure " + goField.Name)
	}
	f.plan = planOf(t)
	return f
}

func scalarOf(t reflect.Type) scalar {
	switch t.Kind() {
	case reflect.String:
		return scalarText
	case reflect.Int, reflect.Int64:
		return scalarInteger
	case reflect.Bool:
		return scalarBoolean
	case reflect.Struct:
		return scalarStruct
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return scalarBinary
		}
	}
	panic(fmt.Sprintf("sqs: the Query protocol has no form for %v", t))
}
