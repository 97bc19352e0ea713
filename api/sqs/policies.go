package sqs

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// Limits of a queue's policy.
const (
	maxPolicy              = 8192 // bytes
	maxStatements          = 20
	maxStatementActions    = 7
	maxStatementPrincipals = 50
	maxStatementConditions = 10
)

// policyDocument is an access policy.
type policyDocument struct {
	Version   string                     `json:",omitempty"`
	ID        string                     `json:"Id,omitempty"`
	Statement oneOrMany[json.RawMessage] `json:",omitempty"`
}

// oneOrMany is a list that may be written as its only item.
type oneOrMany[T any] []T

// UnmarshalJSON reads either form.
func (l *oneOrMany[T]) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		return json.Unmarshal(text, (*[]T)(l))
	}
	var item T
	if err := json.Unmarshal(text, &item); err != nil {
		return err
	}
	*l = oneOrMany[T]{item}
	return nil
}

// statement is what is looked at of a policy's statement.
type statement struct {
	Sid, Effect             string
	Action, NotAction       oneOrMany[string]
	Principal, NotPrincipal principals
	Resource, NotResource   oneOrMany[string]
	Condition               map[string]map[string]json.RawMessage
}

// principals are "*", or lists of them by their kind.
type principals map[string]oneOrMany[string]

// UnmarshalJSON reads either form.
func (p *principals) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte(`"`)) {
		var one string
		err := json.Unmarshal(text, &one)
		*p = principals{"": {one}}
		return err
	}
	return json.Unmarshal(text, (*map[string]oneOrMany[string])(p))
}

func (p principals) count() int {
	n := 0
	for _, list := range p {
		n += len(list)
	}
	return n
}

// setPolicy keeps an access policy as it is, if all that it says can be enforced.
func setPolicy(e *edit, value string) error {
	e.change.Extra[attributePolicy] = value
	if value == "" {
		return nil
	}
	policy, err := parsePolicy(value)
	if err != nil {
		return err
	}
	tooMany := overLimit
	if e.create {
		tooMany = invalidParameterValue // CreateQueue does not know the other
	}
	if n := len(policy.Statement); n > maxStatements {
		return tooManyStatements(tooMany, n)
	}
	for _, text := range policy.Statement {
		if err := checkStatement(tooMany, text); err != nil {
			return err
		}
		if _, err := readPermit(text, e.caller.Account, e.queue); err != nil {
			return err
		}
	}
	return nil
}

func parsePolicy(value string) (policyDocument, error) {
	var policy policyDocument
	if len(value) > maxPolicy || !isObject(value) || decodeStrictly(value, &policy) != nil {
		return policy, invalidAttribute(attributePolicy)
	}
	return policy, nil
}

func checkStatement(tooMany kind, text json.RawMessage) error {
	var s statement
	if !isObject(string(text)) || json.Unmarshal(text, &s) != nil {
		return invalidAttribute(attributePolicy)
	}
	conditions := 0
	for _, keys := range s.Condition {
		conditions += len(keys)
	}
	for _, limit := range []struct {
		what   string
		n, max int
	}{
		{"actions", len(s.Action) + len(s.NotAction), maxStatementActions},
		{"principals", s.Principal.count() + s.NotPrincipal.count(), maxStatementPrincipals},
		{"conditions", conditions, maxStatementConditions},
	} {
		if limit.n > limit.max {
			return errorf(tooMany, "%d %s were found in a statement of the submitted policy, max allowed is %d", limit.n, limit.what, limit.max)
		}
	}
	return nil
}

func tooManyStatements(k kind, n int) error {
	return errorf(k, "%d statements were found in the submitted policy, max allowed is %d", n, maxStatements)
}

func isObject(text string) bool {
	var object map[string]json.RawMessage
	return !isDeep([]byte(text)) && json.Unmarshal([]byte(text), &object) == nil && object != nil
}

// decodeStrictly reads JSON that has no members but those of value.
func decodeStrictly(text string, value any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// canonicalJSON returns JSON without spaces and with its members in order.
func canonicalJSON(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return string(canonical)
}
