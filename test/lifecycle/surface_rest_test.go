package lifecycle

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"tusq/client"
	"tusq/service"
)

// rest speaks REST by the Go client, which repeats nothing.
type rest struct {
	ctx    context.Context
	client *client.Client
}

func (rest) Name() string  { return "REST" }
func (rest) Lenient() bool { return false }

func (r rest) CreateQueue(name string, settings service.QueueChange) error {
	create := client.CreateQueue{Name: name, Settings: restSettings(settings)}
	if settings.DeduplicationScope != nil {
		create.DeduplicationScope = string(*settings.DeduplicationScope)
	}
	_, _, err := r.client.CreateQueue(r.ctx, create)
	return restError(err)
}

func (r rest) UpdateQueue(name string, settings service.QueueChange) error {
	update := client.UpdateQueue{Settings: restSettings(settings)}
	update.RemoveDeadLetter = settings.DeadLetter != nil && settings.DeadLetter.Queue == ""
	_, err := r.client.UpdateQueue(r.ctx, name, update)
	return restError(err)
}

func restSettings(settings service.QueueChange) client.Settings {
	set := client.Settings{
		VisibilityTimeout:    seconds(settings.VisibilityTimeout),
		DelaySeconds:         seconds(settings.Delay),
		RetentionSeconds:     seconds(settings.Retention),
		WaitSeconds:          seconds(settings.ReceiveWait),
		MaxMessageSize:       settings.MaxMessageSize,
		ContentDeduplication: settings.ContentDeduplication,
		Tags:                 settings.Tags,
	}
	if settings.Durability != nil {
		set.Durability = string(*settings.Durability)
	}
	if dead := settings.DeadLetter; dead != nil {
		set.DeadLetter = &client.DeadLetter{Queue: dead.Queue, MaxReceives: dead.MaxReceives}
	}
	return set
}

// restError makes a service.Error of the client's.
func restError(err error) error {
	var refusal *client.Error
	if errors.As(err, &refusal) && refusal.Code != "" {
		return &service.Error{Code: service.Code(refusal.Code), Message: refusal.Message, Field: refusal.Field}
	}
	return err
}

func (r rest) GetQueue(name string) (service.Queue, error) {
	q, err := r.client.GetQueue(r.ctx, name)
	if err != nil {
		return service.Queue{}, restError(err)
	}
	settings := service.Settings{
		VisibilityTimeout:    duration(q.VisibilityTimeout),
		Delay:                duration(q.DelaySeconds),
		Retention:            duration(q.RetentionSeconds),
		ReceiveWait:          duration(q.WaitSeconds),
		MaxMessageSize:       q.MaxMessageSize,
		Durability:           service.Durability(q.Durability),
		Encryption:           service.Encryption(q.Encryption),
		FIFO:                 q.FIFO,
		ContentDeduplication: q.ContentDeduplication,
		DeduplicationScope:   service.DeduplicationScope(q.DeduplicationScope),
	}
	if q.DeadLetter != nil {
		settings.DeadLetter = &service.DeadLetter{Queue: q.DeadLetter.Queue, MaxReceives: q.DeadLetter.MaxReceives}
	}
	return service.Queue{Name: q.Name, Settings: settings, Tags: q.Tags}, nil
}

func (r rest) DeleteQueue(name string) error { return restError(r.client.DeleteQueue(r.ctx, name)) }

func (r rest) PurgeQueue(name string) error {
	_, err := r.client.PurgeQueue(r.ctx, name)
	return restError(err)
}

func (r rest) Stats(name string) (service.Stats, error) {
	stats, err := r.client.QueueStats(r.ctx, name)
	return service.Stats{Visible: stats.Visible, InFlight: stats.InFlight, Delayed: stats.Delayed}, restError(err)
}

func (r rest) Send(queue, key string, messages ...service.SendMessage) []service.Sent {
	send := make([]client.SendMessage, len(messages))
	for i, m := range messages {
		send[i] = client.SendMessage{
			Body: m.Body, DelaySeconds: seconds(m.Delay), Attributes: restAttributes(m.Attributes),
			GroupID: m.GroupID, DeduplicationID: m.DeduplicationID,
		}
	}
	var opts []client.SendOption
	if key != "" {
		opts = append(opts, client.WithIdempotencyKey(key))
	}
	if len(messages) == 1 {
		sent, err := r.client.Send(r.ctx, queue, send[0], opts...)
		return []service.Sent{{ID: sent.ID, Sequence: sent.Sequence, Err: restError(err)}}
	}
	results, err := r.client.SendMany(r.ctx, queue, send, opts...)
	if err != nil {
		return unsent(restError(err), len(messages))
	}
	sent := make([]service.Sent, len(results))
	for i, result := range results {
		sent[i] = service.Sent{ID: result.ID, Sequence: result.Sequence, Err: restError(result.Err)}
	}
	return sent
}

func restAttributes(attributes map[string]service.Attribute) map[string]client.Attribute {
	if len(attributes) == 0 {
		return nil
	}
	answer := map[string]client.Attribute{}
	for name, a := range attributes {
		value := a.Value
		if a.Binary != nil {
			value = base64.StdEncoding.EncodeToString(a.Binary)
		}
		answer[name] = client.Attribute{Type: a.Type, Value: value}
	}
	return answer
}

func (r rest) Receive(queue string, receive service.ReceiveMessages) ([]service.Message, error) {
	got, err := r.client.Receive(r.ctx, queue, client.Receive{
		Max: receive.Max, WaitSeconds: seconds(receive.Wait), VisibilityTimeout: seconds(receive.Visibility), AttemptID: receive.AttemptID,
	})
	if err != nil {
		return nil, restError(err)
	}
	messages := make([]service.Message, len(got))
	for i, m := range got {
		messages[i] = shown(service.Message{
			ID: m.ID, Receipt: m.Receipt, Body: m.Body, GroupID: m.GroupID, DeduplicationID: m.DeduplicationID,
			Sequence: m.Sequence, DeadLetterSource: m.DeadLetterSource, ReceiveCount: m.ReceiveCount,
			SentAt: m.SentAt, FirstReceivedAt: m.FirstReceivedAt,
		})
		for name, a := range m.Attributes {
			if messages[i].Attributes == nil {
				messages[i].Attributes = map[string]service.Attribute{}
			}
			attribute := service.Attribute{Type: a.Type, Value: a.Value}
			if strings.HasPrefix(a.Type, "Binary") {
				attribute.Value = ""
				if attribute.Binary, err = base64.StdEncoding.DecodeString(a.Value); err != nil {
					return nil, err
				}
			}
			messages[i].Attributes[name] = attribute
		}
	}
	return messages, nil
}

func (r rest) Delete(queue string, receipts ...string) []error {
	if len(receipts) == 1 {
		return []error{restError(r.client.Delete(r.ctx, queue, receipts[0]))}
	}
	return restErrors(len(receipts))(r.client.DeleteMany(r.ctx, queue, receipts))
}

func (r rest) Extend(queue string, timeout time.Duration, receipts ...string) []error {
	extends := make([]client.Extend, len(receipts))
	for i, receipt := range receipts {
		extends[i] = client.Extend{Receipt: receipt, VisibilityTimeout: *seconds(&timeout)}
	}
	if len(receipts) == 1 {
		return []error{restError(r.client.Extend(r.ctx, queue, extends[0]))}
	}
	return restErrors(len(receipts))(r.client.ExtendMany(r.ctx, queue, extends))
}

// restErrors makes n answers of a batch's.
func restErrors(n int) func([]error, error) []error {
	return func(errs []error, err error) []error {
		if err != nil {
			return repeated(restError(err), n)
		}
		for i := range errs {
			errs[i] = restError(errs[i])
		}
		return errs
	}
}

func (r rest) StartRedrive(start service.StartRedrive) (string, error) {
	redrive, err := r.client.StartRedrive(r.ctx, start.Source, client.StartRedrive{Destination: start.Destination, Rate: start.Rate})
	return redrive.ID, restError(err)
}

func (r rest) CancelRedrive(id string) error {
	_, err := r.client.CancelRedrive(r.ctx, id)
	return restError(err)
}

func (r rest) LastRedrive(source string) (service.Redrive, error) {
	redrives, err := r.client.ListRedrives(r.ctx, source, 1)
	if err != nil || len(redrives) == 0 {
		return service.Redrive{}, restError(err)
	}
	last := redrives[0]
	return service.Redrive{
		Source: last.Source, Destination: last.Destination, Rate: last.Rate, Status: service.RedriveStatus(last.Status),
		Moved: last.Moved, ToMove: last.ToMove,
	}, nil
}
