package lifecycle

import (
	"context"
	"time"

	"tusq/service"
	"tusq/test/testservice"
)

// core is the service itself.
type core struct {
	ctx context.Context
	svc *service.Service
}

func (core) Name() string  { return "service" }
func (core) Lenient() bool { return false }

func (c core) CreateQueue(name string, settings service.QueueChange) error {
	_, _, err := c.svc.CreateQueue(c.ctx, testservice.Caller, service.CreateQueue{Name: name, QueueChange: settings})
	return err
}

func (c core) UpdateQueue(name string, settings service.QueueChange) error {
	_, err := c.svc.UpdateQueue(c.ctx, testservice.Caller, name, settings)
	return err
}

func (c core) GetQueue(name string) (service.Queue, error) {
	queue, err := c.svc.GetQueue(c.ctx, testservice.Caller, name)
	if dead := queue.Settings.DeadLetter; dead != nil {
		dead.QueueID = 0
	}
	return service.Queue{Name: queue.Name, Settings: queue.Settings, Tags: queue.Tags}, err
}

func (c core) DeleteQueue(name string) error {
	return c.svc.DeleteQueue(c.ctx, testservice.Caller, name)
}

func (c core) PurgeQueue(name string) error {
	_, err := c.svc.PurgeQueue(c.ctx, testservice.Caller, service.PurgeQueue{Name: name})
	return err
}

func (c core) Stats(name string) (service.Stats, error) {
	return c.svc.GetQueueStats(c.ctx, testservice.Caller, name)
}

func (c core) Send(queue, key string, messages ...service.SendMessage) []service.Sent {
	sent, err := c.svc.SendMessages(c.ctx, testservice.Caller, queue, service.SendMessages{
		Messages: messages, Key: service.CallKey{ID: key, Strict: key != ""},
	})
	if err != nil {
		return unsent(err, len(messages))
	}
	return sent
}

func (c core) Receive(queue string, receive service.ReceiveMessages) ([]service.Message, error) {
	messages, err := c.svc.ReceiveMessages(c.ctx, testservice.Caller, queue, receive)
	for i, m := range messages {
		messages[i] = shown(m)
	}
	return messages, err
}

func (c core) Delete(queue string, receipts ...string) []error {
	errs, err := c.svc.DeleteMessages(c.ctx, testservice.Caller, queue, receipts)
	if err != nil {
		return repeated(err, len(receipts))
	}
	return errs
}

func (c core) Extend(queue string, timeout time.Duration, receipts ...string) []error {
	extends := make([]service.ExtendVisibility, len(receipts))
	for i, receipt := range receipts {
		extends[i] = service.ExtendVisibility{Receipt: receipt, Timeout: timeout}
	}
	errs, err := c.svc.ExtendMessages(c.ctx, testservice.Caller, queue, extends)
	if err != nil {
		return repeated(err, len(receipts))
	}
	return errs
}

func (c core) StartRedrive(start service.StartRedrive) (string, error) {
	redrive, err := c.svc.StartRedrive(c.ctx, testservice.Caller, start)
	return redrive.ID, err
}

func (c core) CancelRedrive(id string) error {
	_, err := c.svc.CancelRedrive(c.ctx, testservice.Caller, id)
	return err
}

func (c core) LastRedrive(source string) (service.Redrive, error) {
	redrives, err := c.svc.ListRedrives(c.ctx, testservice.Caller, source, 1)
	if err != nil || len(redrives) == 0 {
		return service.Redrive{}, err
	}
	r := redrives[0]
	return service.Redrive{Source: r.Source, Destination: r.Destination, Rate: r.Rate, Status: r.Status, Moved: r.Moved, ToMove: r.ToMove}, nil
}
