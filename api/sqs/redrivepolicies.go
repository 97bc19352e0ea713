package sqs

import (
	"encoding/json"
	"slices"
	"strconv"

	"tusq/service"
)

const (
	maxPolicySources = 10 // queues that a redrive-allow policy names
	defaultReceives  = 10 // of a redrive policy that does not say
)

// redrivePolicy is SQS's form of a dead-letter policy. Its count may be a
// number or a string.
type redrivePolicy struct {
	TargetARN  string      `json:"deadLetterTargetArn"`
	MaxReceive json.Number `json:"maxReceiveCount"`
}

// getRedrive returns the policy as it was set, unless the queue's dead-letter
// policy was changed since by other means.
func getRedrive(s snapshot) string {
	current := s.queue.Settings.DeadLetter
	if current == nil {
		return ""
	}
	set := s.queue.Extra[attributeRedrive]
	if was, _, err := parseRedrive(set); err == nil && was.Queue == current.Queue && was.MaxReceives == current.MaxReceives {
		return set
	}
	return `{"deadLetterTargetArn":"` + s.queueARN(current.Queue) + `","maxReceiveCount":` + strconv.Itoa(current.MaxReceives) + `}`
}

func setRedrive(e *edit, value string) error {
	e.change.Extra[attributeRedrive] = value
	if value == "" {
		e.change.DeadLetter = new(service.DeadLetter)
		return nil
	}
	policy, account, err := parseRedrive(value)
	if err != nil {
		return err
	}
	if account != e.caller.Account || !isQueueName(policy.Queue) {
		return invalidRedrive(value, "Dead letter target does not exist.")
	}
	if policy.Queue == e.queue {
		return invalidRedrive(value, "A queue cannot be its own dead-letter queue.")
	}
	if service.IsFIFO(policy.Queue) != service.IsFIFO(e.queue) {
		return invalidRedrive(value, "Dead-letter queue must be same type of queue as the source..")
	}
	e.change.DeadLetter = &policy
	return nil
}

// parseRedrive reads a policy and the account of its target.
func parseRedrive(value string) (policy service.DeadLetter, account string, err error) {
	var redrive redrivePolicy
	if !isObject(value) {
		return policy, "", invalidRedrive(value, "Redrive policy is not a valid JSON map.")
	}
	if decodeStrictly(value, &redrive) != nil {
		return policy, "", invalidRedrive(value, "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount], a string and a number.")
	}
	if redrive.TargetARN == "" {
		return policy, "", invalidRedrive(value, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	}
	policy.MaxReceives = defaultReceives
	if count := redrive.MaxReceive.String(); count != "" {
		policy.MaxReceives, err = strconv.Atoi(count)
		if err != nil || policy.MaxReceives < 1 || policy.MaxReceives > service.MaxReceives {
			return policy, "", invalidRedrive(value, "Invalid value for maxReceiveCount: "+shown(count)+", valid values are from 1 to 1000 both inclusive.")
		}
	}
	account, policy.Queue, err = splitRedriveTarget(value, redrive.TargetARN)
	return policy, account, err
}

func splitRedriveTarget(value, arn string) (account, queue string, err error) {
	account, queue, ok := splitARN(arn)
	if !ok {
		return "", "", invalidRedrive(value, "Dead-letter target ARN should be fully qualified ARN.")
	}
	return account, queue, nil
}

// canonicalRedrive returns what a policy means: its target's name and its count.
func canonicalRedrive(value string) string {
	policy, account, err := parseRedrive(value)
	if err != nil {
		return value
	}
	return account + "/" + policy.Queue + " " + strconv.Itoa(policy.MaxReceives)
}

func invalidRedrive(value, reason string) *apiError {
	return invalidValue(value, attributeRedrive, reason)
}

// redriveAllowPolicy says which queues may use one as their dead-letter queue.
type redriveAllowPolicy struct {
	Permission string   `json:"redrivePermission"`
	SourceARNs []string `json:"sourceQueueArns"`
}

// TakesFrom tells whether a queue may be the dead-letter queue of another one of its account: its redrive
// allow policy says so.
func TakesFrom(dead service.Queue, source string) bool {
	text := dead.Extra[attributeRedriveAllow]
	var allow redriveAllowPolicy
	return text == "" || json.Unmarshal([]byte(text), &allow) == nil && allow.allows(dead.Account, source)
}

// allows tells whether a queue of an account may be a source.
func (p redriveAllowPolicy) allows(account, queue string) bool {
	switch p.Permission {
	case "denyAll":
		return false
	case "byQueue":
		return slices.ContainsFunc(p.SourceARNs, func(arn string) bool {
			a, q, ok := splitARN(arn)
			return ok && a == account && q == queue
		})
	}
	return true
}

// setRedriveAllow keeps a policy on which queues may use this one as their
// dead-letter queue.
func setRedriveAllow(e *edit, value string) error {
	e.change.Extra[attributeRedriveAllow] = value
	if value == "" {
		return nil
	}
	var policy redriveAllowPolicy
	if !isObject(value) || decodeStrictly(value, &policy) != nil {
		return errRedriveAllowFormat()
	}
	switch policy.Permission {
	case "", "allowAll", "denyAll":
		if policy.SourceARNs != nil {
			return invalidRedriveAllow(value, "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.")
		}
	case "byQueue":
		return checkSources(value, policy.SourceARNs)
	default:
		return errRedriveAllowFormat()
	}
	return nil
}

func checkSources(value string, arns []string) error {
	if len(arns) == 0 {
		return invalidRedriveAllow(value, "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.")
	}
	if len(arns) > maxPolicySources {
		return invalidRedriveAllow(value, "The maximum number of source queue ARNs you can specify is 10.")
	}
	for _, arn := range arns {
		if _, _, ok := splitARN(arn); !ok {
			return errRedriveAllowFormat()
		}
	}
	return nil
}

func invalidRedriveAllow(value, reason string) error {
	return invalidValue(value, attributeRedriveAllow, "Amazon SQS can't create the redrive allow policy. "+reason)
}

func errRedriveAllowFormat() error {
	return errorf(invalidAttributeValue,
		"Invalid value for the parameter %s. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.", attributeRedriveAllow)
}
