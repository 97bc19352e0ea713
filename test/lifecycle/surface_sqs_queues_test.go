package lifecycle

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"tusq/service"
)

func (s sqs) CreateQueue(name string, settings service.QueueChange) error {
	attributes := queueAttributes(settings)
	if service.IsFIFO(name) {
		attributes["FifoQueue"] = "true"
	}
	in := members{"QueueName": name, "Attributes": attributes}
	if settings.Tags != nil {
		in["tags"] = settings.Tags
	}
	return s.call("CreateQueue", "", in, nil)
}

func (s sqs) UpdateQueue(name string, settings service.QueueChange) error {
	if settings.Tags != nil {
		if err := s.replaceTags(name, settings.Tags); err != nil {
			return err
		}
	}
	attributes := queueAttributes(settings)
	if len(attributes) == 0 {
		return nil
	}
	return s.on(name, "SetQueueAttributes", members{"Attributes": attributes}, nil)
}

func (s sqs) replaceTags(queue string, tags map[string]string) error {
	has, err := s.tags(queue)
	if err != nil {
		return err
	}
	var gone []string
	for key := range has {
		if _, stays := tags[key]; !stays {
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		if err := s.on(queue, "UntagQueue", members{"TagKeys": gone}, nil); err != nil {
			return err
		}
	}
	if len(tags) == 0 {
		return nil
	}
	return s.on(queue, "TagQueue", members{"Tags": tags}, nil)
}

func (s sqs) tags(queue string) (map[string]string, error) {
	var answer struct {
		Tags textMap `xml:"Tag"`
	}
	err := s.on(queue, "ListQueueTags", members{}, &answer)
	return answer.Tags, err
}

func queueAttributes(settings service.QueueChange) map[string]string {
	attributes := map[string]string{}
	for name, value := range map[string]*time.Duration{
		"VisibilityTimeout":             settings.VisibilityTimeout,
		"DelaySeconds":                  settings.Delay,
		"MessageRetentionPeriod":        settings.Retention,
		"ReceiveMessageWaitTimeSeconds": settings.ReceiveWait,
	} {
		if value != nil {
			attributes[name] = strconv.Itoa(*seconds(value))
		}
	}
	if settings.MaxMessageSize != nil {
		attributes["MaximumMessageSize"] = strconv.Itoa(*settings.MaxMessageSize)
	}
	if settings.ContentDeduplication != nil {
		attributes["ContentBasedDeduplication"] = strconv.FormatBool(*settings.ContentDeduplication)
	}
	if settings.DeduplicationScope != nil {
		attributes["DeduplicationScope"] = scopes[*settings.DeduplicationScope]
	}
	if dead := settings.DeadLetter; dead != nil {
		attributes["RedrivePolicy"] = ""
		if dead.Queue != "" {
			policy, _ := json.Marshal(redrivePolicy{arnStart + dead.Queue, dead.MaxReceives})
			attributes["RedrivePolicy"] = string(policy)
		}
	}
	return attributes
}

// scopes are SQS's names.
var scopes = map[service.DeduplicationScope]string{service.ScopeQueue: "queue", service.ScopeGroup: "messageGroup"}

type redrivePolicy struct {
	DeadLetterTargetArn string `json:"deadLetterTargetArn"`
	MaxReceiveCount     int    `json:"maxReceiveCount"`
}

// attributes returns all attributes of a queue.
func (s sqs) attributes(queue string) (map[string]string, error) {
	var answer struct {
		Attributes textMap `xml:"Attribute"`
	}
	err := s.on(queue, "GetQueueAttributes", members{"AttributeNames": []string{"All"}}, &answer)
	return answer.Attributes, err
}

func (s sqs) GetQueue(name string) (service.Queue, error) {
	attributes, err := s.attributes(name)
	if err != nil {
		return service.Queue{}, err
	}
	tags, err := s.tags(name)
	if err != nil {
		return service.Queue{}, err
	}
	number := func(name string) int { n, _ := strconv.Atoi(attributes[name]); return n }
	settings := service.Settings{
		VisibilityTimeout:    duration(number("VisibilityTimeout")),
		Delay:                duration(number("DelaySeconds")),
		Retention:            duration(number("MessageRetentionPeriod")),
		ReceiveWait:          duration(number("ReceiveMessageWaitTimeSeconds")),
		MaxMessageSize:       number("MaximumMessageSize"),
		Durability:           service.DurabilityDefault, // SQS has no other
		Encryption:           service.EncryptionNone,    // nor this
		FIFO:                 attributes["FifoQueue"] == "true",
		ContentDeduplication: attributes["ContentBasedDeduplication"] == "true",
	}
	for scope, name := range scopes {
		if attributes["DeduplicationScope"] == name {
			settings.DeduplicationScope = scope
		}
	}
	if text := attributes["RedrivePolicy"]; text != "" {
		var policy redrivePolicy
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			return service.Queue{}, err
		}
		settings.DeadLetter = &service.DeadLetter{
			Queue: strings.TrimPrefix(policy.DeadLetterTargetArn, arnStart), MaxReceives: policy.MaxReceiveCount,
		}
	}
	return service.Queue{Name: strings.TrimPrefix(attributes["QueueArn"], arnStart), Settings: settings, Tags: tags}, nil
}

func (s sqs) DeleteQueue(name string) error { return s.on(name, "DeleteQueue", members{}, nil) }
func (s sqs) PurgeQueue(name string) error  { return s.on(name, "PurgeQueue", members{}, nil) }

func (s sqs) Stats(name string) (stats service.Stats, err error) {
	attributes, err := s.attributes(name)
	for name, count := range map[string]*int64{
		"ApproximateNumberOfMessages":           &stats.Visible,
		"ApproximateNumberOfMessagesNotVisible": &stats.InFlight,
		"ApproximateNumberOfMessagesDelayed":    &stats.Delayed,
	} {
		if err == nil {
			*count, err = strconv.ParseInt(attributes[name], 10, 64)
		}
	}
	return stats, err
}

func (s sqs) StartRedrive(start service.StartRedrive) (string, error) {
	in := members{"SourceArn": arnStart + start.Source}
	if start.Destination != "" {
		in["DestinationArn"] = arnStart + start.Destination
	}
	if start.Rate != 0 {
		in["MaxNumberOfMessagesPerSecond"] = start.Rate
	}
	var answer struct{ TaskHandle string }
	err := s.call("StartMessageMoveTask", "", in, &answer)
	return answer.TaskHandle, err
}

func (s sqs) CancelRedrive(id string) error {
	return s.call("CancelMessageMoveTask", "", members{"TaskHandle": id}, nil)
}

func (s sqs) LastRedrive(source string) (service.Redrive, error) {
	var answer struct {
		Results []moveTask `xml:"ListMessageMoveTasksResultEntry"`
	}
	err := s.call("ListMessageMoveTasks", "", members{"SourceArn": arnStart + source}, &answer)
	if err != nil || len(answer.Results) == 0 {
		return service.Redrive{}, err
	}
	task := answer.Results[0]
	return service.Redrive{
		Source:      strings.TrimPrefix(task.SourceArn, arnStart),
		Destination: strings.TrimPrefix(task.DestinationArn, arnStart),
		Rate:        task.MaxNumberOfMessagesPerSecond,
		Status:      service.RedriveStatus(strings.ToLower(task.Status)),
		Moved:       task.ApproximateNumberOfMessagesMoved,
		ToMove:      task.ApproximateNumberOfMessagesToMove,
	}, nil
}
