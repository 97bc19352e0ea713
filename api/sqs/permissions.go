package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"tusq/service"
)

// policyVersion is the version of the policies that AddPermission makes.
const policyVersion = "2008-10-17"

var (
	permissionLabel = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	accountID       = regexp.MustCompile(`^[0-9]{12}$`)
)

// permittedActions are those that an owner can permit to others.
var permittedActions = []string{
	"*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
	"ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage",
}

// ownersActions are those that an owner cannot permit to others. What is in neither list,
// an action on a batch among it, is none that a permission can name.
var ownersActions = []string{
	"AddPermission", "CancelMessageMoveTask", "CreateQueue", "DeleteQueue", "ListMessageMoveTasks", "ListQueueTags", "ListQueues",
	"RemovePermission", "SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue",
}

// permission is a statement as AddPermission writes it. What there is one of is a
// string, and what there is more of a list.
type permission struct {
	Sid       string
	Effect    string
	Principal struct{ AWS any }
	Action    any
	Resource  string
}

func (c *call) addPermission(ctx context.Context, in *addPermissionInput) (*none, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkPermission(in); err != nil {
		return nil, err
	}
	return nil, c.editPolicy(ctx, name, func(p *policyDocument) error {
		if p.find(in.Label) >= 0 {
			return invalidValue(in.Label, "Label", "Already exists.")
		}
		return p.add(c.permission(name, in))
	})
}

func checkPermission(in *addPermissionInput) error {
	if err := checkLabel(in.Label); err != nil {
		return err
	}
	if len(in.AWSAccountIds) == 0 {
		return missing("AWSAccountIds")
	}
	if len(in.Actions) == 0 {
		return missing("Actions")
	}
	if n := len(in.Actions); n > maxStatementActions {
		return errorf(overLimit, "%d Actions were found, maximum allowed is %d.", n, maxStatementActions)
	}
	if n := len(in.AWSAccountIds); n > maxStatementPrincipals {
		return errorf(overLimit, "%d AWSAccountIds were found, maximum allowed is %d.", n, maxStatementPrincipals)
	}
	for _, account := range in.AWSAccountIds {
		if !accountID.MatchString(account) {
			return invalidValue("["+account+"]", "PrincipalId", "Unable to verify principal.")
		}
	}
	for _, action := range in.Actions {
		switch {
		case slices.Contains(ownersActions, action):
			return invalidValue("SQS:"+action, "ActionName", "Only the queue owner is allowed to invoke this action.")
		case !slices.Contains(permittedActions, action):
			return invalidValue("SQS:"+action, "ActionName", "Please refer to the appropriate WSDL for a list of valid actions.")
		}
	}
	return nil
}

func checkLabel(label string) error {
	if label == "" {
		return missing("Label")
	}
	if !permissionLabel.MatchString(label) {
		return invalidValue(label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
	}
	return nil
}

// permission returns the statement that permits what was asked for.
func (c *call) permission(queue string, in *addPermissionInput) permission {
	principals := make([]string, len(in.AWSAccountIds))
	for i, account := range in.AWSAccountIds {
		principals[i] = "arn:aws:iam::" + account + ":root"
	}
	actions := make([]string, len(in.Actions))
	for i, action := range in.Actions {
		actions[i] = "SQS:" + action
	}
	p := permission{Sid: in.Label, Effect: "Allow", Action: oneOrList(actions), Resource: c.queueARN(queue)}
	p.Principal.AWS = oneOrList(principals)
	return p
}

func oneOrList(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (c *call) removePermission(ctx context.Context, in *removePermissionInput) (*none, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkLabel(in.Label); err != nil {
		return nil, err
	}
	return nil, c.editPolicy(ctx, name, func(p *policyDocument) error {
		at := p.find(in.Label)
		if at < 0 {
			return invalidValue(in.Label, "Label", "can't find label.")
		}
		p.Statement = slices.Delete(p.Statement, at, at+1)
		return nil
	})
}

// editPolicy changes a queue's policy in one transaction. A queue without one gets
// Amazon's default one to change; one without statements is removed.
func (c *call) editPolicy(ctx context.Context, queue string, edit func(*policyDocument) error) error {
	_, err := c.svc.UpdateQueue(ctx, c.caller, queue, service.QueueChange{Edit: func(q *service.Queue) error {
		policy := policyDocument{Version: policyVersion, ID: c.queueARN(queue) + "/SQSDefaultPolicy"}
		if current := q.Extra[attributePolicy]; current != "" {
			var err error
			if policy, err = parsePolicy(current); err != nil {
				return err
			}
		}
		if err := edit(&policy); err != nil {
			return err
		}
		text, err := policy.text()
		if err != nil {
			return err
		}
		setExtra(q, attributePolicy, text)
		return nil
	}})
	return err
}

// setExtra sets an attribute, or removes it where the value is empty.
func setExtra(q *service.Queue, name, value string) {
	if value == "" {
		delete(q.Extra, name)
		return
	}
	if q.Extra == nil {
		q.Extra = make(map[string]string)
	}
	q.Extra[name] = value
}

// find returns the place of the statement with a label, or -1.
func (p *policyDocument) find(label string) int {
	return slices.IndexFunc(p.Statement, func(text json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(text, &s) == nil && s.Sid == label
	})
}

// add appends a statement, within the limits of a policy.
func (p *policyDocument) add(statement permission) error {
	if n := len(p.Statement) + 1; n > maxStatements {
		return tooManyStatements(overLimit, n)
	}
	text, err := json.Marshal(statement)
	if err != nil {
		return err
	}
	p.Statement = append(p.Statement, text)
	whole, err := p.text()
	if err == nil && len(whole) > maxPolicy {
		return errorf(overLimit, "The policy would have %d bytes, maximum allowed is %d.", len(whole), maxPolicy)
	}
	return err
}

// text returns the policy as it is stored: "" when nothing is left of it.
func (p *policyDocument) text() (string, error) {
	if len(p.Statement) == 0 {
		return "", nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // what others have written stays as it was
	if err := encoder.Encode(p); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(text.Bytes(), []byte("\n"))), nil
}
