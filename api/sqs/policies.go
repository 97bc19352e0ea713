package sqs

import (
	"encoding/json"
	"strconv"
	"strings"

	"tusq/service"
)

const (
	maxPolicy        = 8192 // bytes of a queue's policy
	maxPolicySources = 10   // queues that a redrive-allow policy names
	defaultReceives  = 10   // of a redrive policy that does not say
)

// setPolicy keeps an access policy, as a JSON object, as it is.
func setPolicy(_ *call, change *service.QueueChange, value string) error {
	if value != "" && (len(value) > maxPolicy || !isObject(value)) {
		return invalidAttribute(attributePolicy)
	}
	change.Extra[attributePolicy] = value
	return nil
}

func isObject(text string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
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

func setRedrive(c *call, change *service.QueueChange, value string) error {
	change.Extra[attributeRedrive] = value
	if value == "" {
		change.DeadLetter = new(service.DeadLetter)
		return nil
	}
	policy, account, err := parseRedrive(value)
	if err != nil {
		return err
	}
	if account != c.caller.Account || !queueName.MatchString(policy.Queue) {
		return invalidRedrive(value, "Dead letter target does not exist.")
	}
	change.DeadLetter = &policy
	return nil
}

// parseRedrive reads a policy and the account of its target.
func parseRedrive(value string) (policy service.DeadLetter, account string, err error) {
	var redrive redrivePolicy
	if !isObject(value) {
		return policy, "", invalidRedrive(value, "Redrive policy is not a valid JSON map.")
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&redrive); err != nil {
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
		return "", "", invalidRedrive(value, "Invalid value for deadLetterTargetArn.")
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

// setRedriveAllow keeps a policy on which queues may use this one as their
// dead-letter queue.
func setRedriveAllow(_ *call, change *service.QueueChange, value string) error {
	change.Extra[attributeRedriveAllow] = value
	if value == "" {
		return nil
	}
	var policy struct {
		Permission string   `json:"redrivePermission"`
		SourceARNs []string `json:"sourceQueueArns"`
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if !isObject(value) || decoder.Decode(&policy) != nil {
		return invalidAttribute(attributeRedriveAllow)
	}
	switch policy.Permission {
	case "", "allowAll", "denyAll":
		if policy.SourceARNs != nil {
			return invalidAttribute(attributeRedriveAllow)
		}
	case "byQueue":
		if len(policy.SourceARNs) < 1 || len(policy.SourceARNs) > maxPolicySources {
			return invalidAttribute(attributeRedriveAllow)
		}
	default:
		return invalidAttribute(attributeRedriveAllow)
	}
	return nil
}
