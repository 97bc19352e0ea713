package clients

import (
	"context"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	smithy "github.com/aws/smithy-go/middleware"
)

// actions are all that the API has.
var actions = []string{
	"AddPermission", "CancelMessageMoveTask", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch",
	"CreateQueue", "DeleteMessage", "DeleteMessageBatch", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl",
	"ListDeadLetterSourceQueues", "ListMessageMoveTasks", "ListQueueTags", "ListQueues", "PurgeQueue",
	"ReceiveMessage", "RemovePermission", "SendMessage", "SendMessageBatch", "SetQueueAttributes",
	"StartMessageMoveTask", "TagQueue", "UntagQueue",
}

// answered knows the actions that have succeeded in any test.
var answered = &answeredActions{names: map[string]bool{}}

type answeredActions struct {
	mu    sync.Mutex
	names map[string]bool
}

// record is an option of the SDK's clients.
func (a *answeredActions) record(o *sqs.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *smithy.Stack) error {
		return stack.Initialize.Add(smithy.InitializeMiddlewareFunc("answered", a.handle), smithy.After)
	})
}

func (a *answeredActions) handle(ctx context.Context, in smithy.InitializeInput, next smithy.InitializeHandler) (
	smithy.InitializeOutput, smithy.Metadata, error,
) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.names[middleware.GetOperationName(ctx)] = true
	}
	return out, metadata, err
}

// missing are the actions that no test has brought to succeed.
func (a *answeredActions) missing() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(actions), func(name string) bool { return a.names[name] })
}
