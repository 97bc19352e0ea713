package sqs

// The inputs and outputs of the actions, with Amazon's names. Both codecs fill
// and write them. In an input a nil pointer or an empty string is a member that
// was not given; in an output what is empty is left out.

// none is the output of actions that have none.
type none struct{}

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
	Tags       map[string]string `json:"tags"`
}

type queueURLOutput struct {
	QueueUrl string
}

type getQueueURLInput struct {
	QueueName              string
	QueueOwnerAWSAccountId string
}

type listQueuesInput struct {
	QueueNamePrefix string
	NextToken       string
	MaxResults      *int
}

type listQueuesOutput struct {
	QueueUrls []string `json:",omitempty"`
	NextToken string   `json:",omitempty"`
}

// queueInput is the input of actions on a whole queue.
type queueInput struct {
	QueueUrl string
}

type getQueueAttributesInput struct {
	QueueUrl       string
	AttributeNames []string
}

type getQueueAttributesOutput struct {
	Attributes map[string]string `json:",omitempty"`
}

type setQueueAttributesInput struct {
	QueueUrl   string
	Attributes map[string]string
}

// attributeValue is a message attribute. The list values are reserved by SQS.
type attributeValue struct {
	DataType         string
	StringValue      *string  `json:",omitempty"`
	BinaryValue      []byte   `json:",omitempty"`
	StringListValues []string `json:",omitempty"`
	BinaryListValues [][]byte `json:",omitempty"`
}

// outgoing is a message to send, as SendMessage and its batch's entries have it.
type outgoing struct {
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]attributeValue
	MessageSystemAttributes map[string]attributeValue
	MessageDeduplicationId  *string
	MessageGroupId          *string
}

type sendMessageInput struct {
	QueueUrl string
	outgoing
}

// sent is the answer to a message that was sent.
type sent struct {
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
}

type sendMessageBatchInput struct {
	QueueUrl string
	Entries  []sendMessageBatchEntry
}

type sendMessageBatchEntry struct {
	Id string
	outgoing
}

type sendMessageBatchOutput struct {
	Successful []sentEntry   `json:",omitempty"`
	Failed     []failedEntry `json:",omitempty"`
}

type sentEntry struct {
	Id string
	sent
}

// failedEntry says why an entry of a batch was not carried out.
type failedEntry struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string
}

// doneEntry names an entry of a batch that was carried out.
type doneEntry struct {
	Id string
}

// settleBatchOutput is the answer to batches of deletions and of visibilities.
type settleBatchOutput struct {
	Successful []doneEntry   `json:",omitempty"`
	Failed     []failedEntry `json:",omitempty"`
}

type receiveMessageInput struct {
	QueueUrl                    string
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     *string
}

type receiveMessageOutput struct {
	Messages []message `json:",omitempty"`
}

// message is a received message.
type message struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string         `json:",omitempty"`
	MD5OfMessageAttributes string                    `json:",omitempty"`
	MessageAttributes      map[string]attributeValue `json:",omitempty"`
}

type deleteMessageInput struct {
	QueueUrl      string
	ReceiptHandle string
}

type deleteMessageBatchInput struct {
	QueueUrl string
	Entries  []deleteMessageBatchEntry
}

type deleteMessageBatchEntry struct {
	Id            string
	ReceiptHandle string
}

type changeMessageVisibilityInput struct {
	QueueUrl          string
	ReceiptHandle     string
	VisibilityTimeout *int
}

type changeMessageVisibilityBatchInput struct {
	QueueUrl string
	Entries  []changeMessageVisibilityBatchEntry
}

// changeMessageVisibilityBatchEntry has no timeout where it is zero: some SDKs
// leave it out then.
type changeMessageVisibilityBatchEntry struct {
	Id                string
	ReceiptHandle     string
	VisibilityTimeout int
}
