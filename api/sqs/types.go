package sqs

// The inputs and outputs of the actions, with Amazon's names. Both codecs fill
// and write them. In an input a nil pointer or an empty string is a member that
// was not given; in an output what is empty is left out.
//
// The tag query names a member in the Query protocol and its XML: a member, a
// list's items (lists are flattened), or a map's entries with their keys and
// values. Without it a member has its field's name. "*" stands for the action's
// name, and "-" says that the protocol does not have the member. omitempty of the
// tag json holds there too.

// none is the output of actions that have none.
type none struct{}

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string `query:"Attribute,Name,Value"`
	Tags       map[string]string `json:"tags" query:"Tag,Key,Value"`
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
	QueueUrls []string `json:",omitempty" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

// queueInput is the input of actions on a whole queue.
type queueInput struct {
	QueueUrl string
}

type getQueueAttributesInput struct {
	QueueUrl       string
	AttributeNames []string `query:"AttributeName"`
}

type getQueueAttributesOutput struct {
	Attributes map[string]string `json:",omitempty" query:"Attribute,Name,Value"`
}

type setQueueAttributesInput struct {
	QueueUrl   string
	Attributes map[string]string `query:"Attribute,Name,Value"`
}

// attributeValue is a message attribute. The list values are reserved by SQS.
type attributeValue struct {
	DataType         string
	StringValue      *string  `json:",omitempty"`
	BinaryValue      blob     `json:",omitempty"`
	StringListValues []string `json:",omitempty" query:"StringListValue"`
	BinaryListValues []blob   `json:",omitempty" query:"BinaryListValue"`
}

// outgoing is a message to send, as SendMessage and its batch's entries have it.
type outgoing struct {
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]attributeValue `query:"MessageAttribute,Name,Value"`
	MessageSystemAttributes map[string]attributeValue `query:"MessageSystemAttribute,Name,Value"`
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
	SequenceNumber               string `json:",omitempty"` // of a FIFO queue's message: 20 digits
}

type sendMessageBatchInput struct {
	QueueUrl string
	Entries  []sendMessageBatchEntry `query:"SendMessageBatchRequestEntry"`
}

type sendMessageBatchEntry struct {
	Id *string
	outgoing
}

type sendMessageBatchOutput struct {
	Successful []sentEntry   `json:",omitempty" query:"*ResultEntry"`
	Failed     []failedEntry `json:",omitempty" query:"BatchResultErrorEntry"`
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
	Successful []doneEntry   `json:",omitempty" query:"*ResultEntry"`
	Failed     []failedEntry `json:",omitempty" query:"BatchResultErrorEntry"`
}

type receiveMessageInput struct {
	QueueUrl                    string
	AttributeNames              []string `query:"AttributeName"`
	MessageSystemAttributeNames []string `query:"MessageSystemAttributeName"`
	MessageAttributeNames       []string `query:"MessageAttributeName"`
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     *string
}

type receiveMessageOutput struct {
	Messages []message `json:",omitempty" query:"Message"`
}

// message is a received message.
type message struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string         `json:",omitempty" query:"Attribute,Name,Value"`
	MD5OfMessageAttributes string                    `json:",omitempty"`
	MessageAttributes      map[string]attributeValue `json:",omitempty" query:"MessageAttribute,Name,Value"`
}

type deleteMessageInput struct {
	QueueUrl      string
	ReceiptHandle string
}

type deleteMessageBatchInput struct {
	QueueUrl string
	Entries  []deleteMessageBatchEntry `query:"DeleteMessageBatchRequestEntry"`
}

type deleteMessageBatchEntry struct {
	Id            *string
	ReceiptHandle string
}

type changeMessageVisibilityInput struct {
	QueueUrl          string
	ReceiptHandle     string
	VisibilityTimeout *int
}

type changeMessageVisibilityBatchInput struct {
	QueueUrl string
	Entries  []changeMessageVisibilityBatchEntry `query:"ChangeMessageVisibilityBatchRequestEntry"`
}

// changeMessageVisibilityBatchEntry has no timeout where it is zero: some SDKs
// leave it out then.
type changeMessageVisibilityBatchEntry struct {
	Id                *string
	ReceiptHandle     string
	VisibilityTimeout int
}

type queueTagsOutput struct {
	Tags map[string]string `json:",omitempty" query:"Tag,Key,Value"`
}

type tagQueueInput struct {
	QueueUrl string
	Tags     map[string]string `query:"Tag,Key,Value"`
}

type untagQueueInput struct {
	QueueUrl string
	TagKeys  []string `query:"TagKey"`
}

type addPermissionInput struct {
	QueueUrl      string
	Label         string
	AWSAccountIds []string `query:"AWSAccountId"`
	Actions       []string `query:"ActionName"`
}

type removePermissionInput struct {
	QueueUrl string
	Label    string
}

type listDeadLetterSourceQueuesInput struct {
	QueueUrl   string
	NextToken  string
	MaxResults *int
}

// listDeadLetterSourceQueuesOutput has its list's name in lower case, unlike all others.
type listDeadLetterSourceQueuesOutput struct {
	QueueUrls []string `json:"queueUrls,omitempty" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

type startMessageMoveTaskInput struct {
	SourceArn                    *string
	DestinationArn               *string
	MaxNumberOfMessagesPerSecond *int
}

type startMessageMoveTaskOutput struct {
	TaskHandle string
}

type cancelMessageMoveTaskInput struct {
	TaskHandle string
}

type cancelMessageMoveTaskOutput struct {
	ApproximateNumberOfMessagesMoved int64
}

type listMessageMoveTasksInput struct {
	SourceArn  *string
	MaxResults *int
}

type listMessageMoveTasksOutput struct {
	Results []moveTask `json:",omitempty" query:"*ResultEntry"`
}

// moveTask is a move task as it is listed. Its handle, which can only cancel it, is there
// while it runs.
type moveTask struct {
	TaskHandle                        string `json:",omitempty"`
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int64
	ApproximateNumberOfMessagesToMove int64
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64  // milliseconds since 1970
}
