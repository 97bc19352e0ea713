package sqs

import (
	"encoding/json"
	"slices"
	"strings"

	"tusq/service"
)

// permittable are the actions that an owner can permit to others, as the service knows them.
var permittable = map[string]service.Action{
	"ChangeMessageVisibility":    service.ActionExtendMessages,
	"DeleteMessage":              service.ActionDeleteMessages,
	"GetQueueAttributes":         service.ActionGetQueue,
	"GetQueueUrl":                service.ActionFindQueue,
	"ListDeadLetterSourceQueues": service.ActionListSources,
	"PurgeQueue":                 service.ActionPurgeQueue,
	"ReceiveMessage":             service.ActionReceiveMessages,
	"SendMessage":                service.ActionSendMessages,
}

// Permits returns what a queue's policy permits to other accounts. A policy that says more than
// can be enforced, which an earlier version may have kept, permits nothing at all: what it
// forbids would be lost.
func Permits(queue service.Queue) []service.Permit {
	text := queue.Extra[attributePolicy]
	if text == "" {
		return nil
	}
	policy, err := parsePolicy(text)
	if err != nil {
		return nil
	}
	permits := make([]service.Permit, len(policy.Statement))
	for i, statement := range policy.Statement {
		if permits[i], err = readPermit(statement, queue.Account, queue.Name); err != nil {
			return nil
		}
	}
	return permits
}

// readPermit reads a statement of a queue's policy. It says that accounts may do, of what an
// owner can permit, something with this queue; there is nothing else that is enforced.
func readPermit(text json.RawMessage, account, queue string) (service.Permit, error) {
	var s statement
	if decodeStrictly(string(text), &s) != nil {
		return service.Permit{}, notEnforced("a statement with other members than Sid, Effect, Principal, Action and Resource")
	}
	switch {
	case s.Effect != "Allow":
		return service.Permit{}, notEnforced("the Effect must be Allow")
	case len(s.Condition) > 0:
		return service.Permit{}, notEnforced("a Condition")
	case len(s.NotAction) > 0, len(s.NotPrincipal) > 0, len(s.NotResource) > 0:
		return service.Permit{}, notEnforced("NotAction, NotPrincipal and NotResource")
	}
	for _, resource := range s.Resource {
		owner, name, isARN := splitARN(resource)
		if resource != "*" && (!isARN || owner != account || name != queue) {
			return service.Permit{}, notEnforced("a Resource that is not this queue")
		}
	}
	if len(s.Resource) == 0 {
		return service.Permit{}, notEnforced("a statement without Resource")
	}
	accounts, err := readPrincipals(s.Principal)
	if err != nil {
		return service.Permit{}, err
	}
	actions, err := readActions(s.Action)
	return service.Permit{Accounts: accounts, Actions: actions}, err
}

// notEnforced refuses what would be kept and have no effect.
func notEnforced(what string) error {
	return errorf(invalidAttributeValue, "Invalid value for the parameter Policy. Reason: This is not supported: %s. "+
		"Statements allow AWS accounts, or everybody, actions on this queue.", what)
}

// readPrincipals returns accounts: each is written by its number or as its root user's ARN.
func readPrincipals(p principals) ([]string, error) {
	var accounts []string
	for kind, list := range p {
		if kind != "" && kind != "AWS" {
			return nil, notEnforced("a Principal of the kind " + shown(kind))
		}
		for _, principal := range list {
			account := principal
			if id, found := strings.CutPrefix(principal, "arn:aws:iam::"); found {
				account = strings.TrimSuffix(id, ":root")
			}
			if account != "*" && !accountID.MatchString(account) || kind == "" && account != "*" {
				return nil, notEnforced("the Principal " + shown(principal))
			}
			accounts = append(accounts, account)
		}
	}
	if len(accounts) == 0 {
		return nil, notEnforced("a statement without Principal")
	}
	return accounts, nil
}

// readActions returns what the owner permits: names, or their beginnings and *.
func readActions(names []string) ([]service.Action, error) {
	var actions []service.Action
	for _, written := range names {
		name := written
		if len(name) > 4 && strings.EqualFold(name[:4], "sqs:") {
			name = name[4:]
		} else if name != "*" {
			return nil, notEnforced("the Action " + shown(written))
		}
		found := matching(name)
		if len(found) == 0 {
			return nil, notEnforced("the Action " + shown(written) + ", which only the owner can do")
		}
		actions = append(actions, found...)
	}
	if len(actions) == 0 {
		return nil, notEnforced("a statement without Action")
	}
	return actions, nil
}

func matching(name string) (actions []service.Action) {
	prefix, isPrefix := strings.CutSuffix(name, "*")
	for known, action := range permittable {
		begins := len(known) >= len(prefix) && strings.EqualFold(known[:len(prefix)], prefix)
		if strings.EqualFold(known, name) || isPrefix && begins {
			actions = append(actions, action)
		}
	}
	slices.Sort(actions)
	return actions
}
