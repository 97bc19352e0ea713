package service

import "slices"

// allActions is the name of all actions, also of those that later versions have.
const allActions = "*"

// ParseActions returns the actions of names; unknown is the first that is none's.
func ParseActions(names []string) (actions []Action, unknown string) {
	for _, name := range names {
		if name == allActions {
			return Actions(), ""
		}
		action, known := ParseAction(name)
		if !known {
			unknown = name
			continue
		}
		actions = append(actions, action)
	}
	return actions, unknown
}

// ActionNames are the names of actions; of all of them, that of all.
func ActionNames(actions []Action) []string {
	if setOf(actions) == setOf(Actions()) {
		return []string{allActions}
	}
	names := make([]string, len(actions))
	for i, action := range actions {
		names[i] = action.String()
	}
	return names
}

// Roles are names for what is usually permitted together.
var Roles = []string{"admin", "operator", "producer", "consumer", "viewer"}

// RoleActions returns the actions of a role, none of a name that is no role's.
func RoleActions(role string) []Action {
	switch role {
	case "admin":
		return Actions()
	case "operator": // of queues: all but keys and the audit log
		return slices.DeleteFunc(Actions(), func(a Action) bool { return a == ActionManageKeys || a == ActionReadAudit })
	case "producer":
		return []Action{ActionSendMessages, ActionGetQueue}
	case "consumer":
		return []Action{ActionReceiveMessages, ActionDeleteMessages, ActionExtendMessages, ActionGetQueue}
	case "viewer":
		return []Action{ActionGetQueue, ActionListQueues, ActionPeekMessages}
	}
	return nil
}
