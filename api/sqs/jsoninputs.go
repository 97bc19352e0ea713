package sqs

// The inputs of the hot actions as JSON. Members are read in whatever order they come; of
// a value that is given twice the last counts.

func (in *sendMessageInput) readJSON(r *jsonReader) {
	r.object(func(name string) {
		if name == "QueueUrl" {
			in.QueueUrl = r.string()
			return
		}
		in.readMember(r, name)
	})
}

func (in *sendMessageBatchInput) readJSON(r *jsonReader) {
	readBatch(r, &in.QueueUrl, &in.Entries, func(e *sendMessageBatchEntry, name string) {
		if name == "Id" {
			e.Id = r.id()
			return
		}
		e.readMember(r, name)
	})
}

// readMember reads a member of a message to send.
func (o *outgoing) readMember(r *jsonReader, name string) {
	switch name {
	case "MessageBody":
		o.MessageBody = r.string()
	case "DelaySeconds":
		o.DelaySeconds = new(r.integer())
	case "MessageAttributes":
		readAttributes(r, &o.MessageAttributes)
	case "MessageSystemAttributes":
		readAttributes(r, &o.MessageSystemAttributes)
	case "MessageDeduplicationId":
		o.MessageDeduplicationId = new(r.string())
	case "MessageGroupId":
		o.MessageGroupId = new(r.string())
	default:
		r.giveUp()
	}
}

// readAttributes reads attributes by their names. Given twice, they are left to
// encoding/json, which adds the second to the first.
func readAttributes(r *jsonReader, attributes *map[string]attributeValue) {
	if *attributes != nil {
		r.giveUp()
	}
	*attributes = make(map[string]attributeValue)
	r.object(func(name string) {
		var value attributeValue
		value.readJSON(r)
		(*attributes)[name] = value
	})
}

func (v *attributeValue) readJSON(r *jsonReader) {
	r.object(func(name string) {
		switch name {
		case "DataType":
			v.DataType = r.string()
		case "StringValue":
			v.StringValue = new(r.string())
		case "BinaryValue":
			v.BinaryValue = r.binary()
		default: // the lists too: no message can have them
			r.giveUp()
		}
	})
}

func (in *receiveMessageInput) readJSON(r *jsonReader) {
	r.object(func(name string) {
		switch name {
		case "QueueUrl":
			in.QueueUrl = r.string()
		case "AttributeNames":
			r.strings(&in.AttributeNames)
		case "MessageSystemAttributeNames":
			r.strings(&in.MessageSystemAttributeNames)
		case "MessageAttributeNames":
			r.strings(&in.MessageAttributeNames)
		case "MaxNumberOfMessages":
			in.MaxNumberOfMessages = new(r.integer())
		case "VisibilityTimeout":
			in.VisibilityTimeout = new(r.integer())
		case "WaitTimeSeconds":
			in.WaitTimeSeconds = new(r.integer())
		case "ReceiveRequestAttemptId":
			in.ReceiveRequestAttemptId = new(r.string())
		default:
			r.giveUp()
		}
	})
}

func (in *deleteMessageInput) readJSON(r *jsonReader) {
	r.object(func(name string) {
		switch name {
		case "QueueUrl":
			in.QueueUrl = r.string()
		case "ReceiptHandle":
			in.ReceiptHandle = r.string()
		default:
			r.giveUp()
		}
	})
}

func (in *deleteMessageBatchInput) readJSON(r *jsonReader) {
	readBatch(r, &in.QueueUrl, &in.Entries, func(e *deleteMessageBatchEntry, name string) {
		switch name {
		case "Id":
			e.Id = r.id()
		case "ReceiptHandle":
			e.ReceiptHandle = r.string()
		default:
			r.giveUp()
		}
	})
}

func (in *changeMessageVisibilityInput) readJSON(r *jsonReader) {
	r.object(func(name string) {
		switch name {
		case "QueueUrl":
			in.QueueUrl = r.string()
		case "ReceiptHandle":
			in.ReceiptHandle = r.string()
		case "VisibilityTimeout":
			in.VisibilityTimeout = new(r.integer())
		default:
			r.giveUp()
		}
	})
}

func (in *changeMessageVisibilityBatchInput) readJSON(r *jsonReader) {
	readBatch(r, &in.QueueUrl, &in.Entries, func(e *changeMessageVisibilityBatchEntry, name string) {
		switch name {
		case "Id":
			e.Id = r.id()
		case "ReceiptHandle":
			e.ReceiptHandle = r.string()
		case "VisibilityTimeout":
			e.VisibilityTimeout = r.integer()
		default:
			r.giveUp()
		}
	})
}

// readBatch reads a batch. member is called at each member's value of each entry.
func readBatch[E any](r *jsonReader, url *string, entries *[]E, member func(e *E, name string)) {
	r.object(func(name string) {
		switch name {
		case "QueueUrl":
			*url = r.string()
		case "Entries":
			readList(r, entries, func(e *E) {
				r.object(func(name string) { member(e, name) })
			})
		default:
			r.giveUp()
		}
	})
}
