package sqs

import "context"

// action is an action of the API: the input that a codec fills in, and what runs
// on it.
type action struct {
	input func() any
	run   func(ctx context.Context, c *call, input any) (any, error)
}

// actions are all that the API has.
var actions = map[string]action{
	"AddPermission":                serve((*call).addPermission),
	"CancelMessageMoveTask":        serve((*call).cancelMessageMoveTask),
	"ChangeMessageVisibility":      serve((*call).changeMessageVisibility),
	"ChangeMessageVisibilityBatch": serve((*call).changeMessageVisibilityBatch),
	"CreateQueue":                  serve((*call).createQueue),
	"DeleteMessage":                serve((*call).deleteMessage),
	"DeleteMessageBatch":           serve((*call).deleteMessageBatch),
	"DeleteQueue":                  serve((*call).deleteQueue),
	"GetQueueAttributes":           serve((*call).getQueueAttributes),
	"GetQueueUrl":                  serve((*call).getQueueURL),
	"ListDeadLetterSourceQueues":   serve((*call).listDeadLetterSourceQueues),
	"ListMessageMoveTasks":         serve((*call).listMessageMoveTasks),
	"ListQueueTags":                serve((*call).listQueueTags),
	"ListQueues":                   serve((*call).listQueues),
	"PurgeQueue":                   serve((*call).purgeQueue),
	"ReceiveMessage":               serve((*call).receiveMessage),
	"RemovePermission":             serve((*call).removePermission),
	"SendMessage":                  serve((*call).sendMessage),
	"SendMessageBatch":             serve((*call).sendMessageBatch),
	"SetQueueAttributes":           serve((*call).setQueueAttributes),
	"StartMessageMoveTask":         serve((*call).startMessageMoveTask),
	"TagQueue":                     serve((*call).tagQueue),
	"UntagQueue":                   serve((*call).untagQueue),
}

// serve makes an action of a method. An action without output returns nil.
func serve[In, Out any](run func(*call, context.Context, *In) (*Out, error)) action {
	return action{
		input: func() any { return new(In) },
		run: func(ctx context.Context, c *call, input any) (any, error) {
			output, err := run(c, ctx, input.(*In))
			if err != nil || output == nil {
				return nil, err
			}
			return output, nil
		},
	}
}

// findAction returns an action by its name.
func findAction(name string) (action, error) {
	found, known := actions[name]
	if !known {
		return action{}, errorf(unknownOperation, "The action %s is not valid for this endpoint.", shown(name))
	}
	return found, nil
}
