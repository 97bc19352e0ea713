package service

import "slices"

// Action is something that a caller may be permitted to do. The list is closed, and each
// public method of Service that serves a call asks for one of them.
type Action uint8

// The actions. Their texts are what keys, users and the audit log name.
const (
	ActionSendMessages    Action = iota + 1 // also: be the target of dead letters and of redrives
	ActionReceiveMessages                   // and give back what could not be delivered
	ActionDeleteMessages                    // by their receipts
	ActionExtendMessages                    // by their receipts
	ActionPeekMessages                      // see messages, and change none
	ActionFindQueue                         // learn that a queue exists; who may do anything with it may
	ActionGetQueue                          // settings, tags, counts
	ActionListSources                       // the queues whose dead letters come to a queue; who may get it may
	ActionListQueues                        // those whose names the caller's rights cover
	ActionCreateQueue
	ActionUpdateQueue // settings, tags, policies
	ActionDeleteQueue
	ActionPurgeQueue
	ActionRedriveQueue // start, cancel and look at redrives out of a dead-letter queue
	ActionManageKeys   // keys and users: of all queues, and with no more rights than one's own
	ActionReadAudit
)

var actionNames = [...]string{
	ActionSendMessages:    "send_messages",
	ActionReceiveMessages: "receive_messages",
	ActionDeleteMessages:  "delete_messages",
	ActionExtendMessages:  "extend_messages",
	ActionPeekMessages:    "peek_messages",
	ActionFindQueue:       "find_queue",
	ActionGetQueue:        "get_queue",
	ActionListSources:     "list_sources",
	ActionListQueues:      "list_queues",
	ActionCreateQueue:     "create_queue",
	ActionUpdateQueue:     "update_queue",
	ActionDeleteQueue:     "delete_queue",
	ActionPurgeQueue:      "purge_queue",
	ActionRedriveQueue:    "redrive_queue",
	ActionManageKeys:      "manage_keys",
	ActionReadAudit:       "read_audit",
}

// Actions lists every action.
func Actions() []Action {
	all := make([]Action, 0, len(actionNames)-1)
	for a := ActionSendMessages; int(a) < len(actionNames); a++ {
		all = append(all, a)
	}
	return all
}

func (a Action) String() string {
	if a == 0 || int(a) >= len(actionNames) {
		return "unknown_action"
	}
	return actionNames[a]
}

// ParseAction returns the action of a name; known: there is one.
func ParseAction(name string) (action Action, known bool) {
	at := slices.Index(actionNames[1:], name)
	return Action(at + 1), at >= 0
}

// actionSet is a set of actions.
type actionSet uint32

func setOf(actions []Action) (set actionSet) {
	for _, a := range actions {
		set |= 1 << a
	}
	return set
}

func (s actionSet) has(a Action) bool { return s&(1<<a) != 0 }
