package authorization

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"tusq/service"
	"tusq/test/testserver"
)

// sqsActions are the actions of SQS: what each needs, and an example of its input in both codecs.
var sqsActions = map[string]struct {
	needs      []need
	json, form string
	creates    bool
}{
	"AddPermission": {needs: []need{{service.ActionUpdateQueue, orders, false}},
		json: `{"QueueUrl":"{url}","Label":"l","AWSAccountIds":["111111111111"],"Actions":["SendMessage"]}`,
		form: "&QueueUrl={url}&Label=l&AWSAccountId.1=111111111111&ActionName.1=SendMessage"},
	"CancelMessageMoveTask": {needs: []need{{service.ActionRedriveQueue, dead, false}}, json: `{"TaskHandle":"{task}"}`, form: "&TaskHandle={task}"},
	"ChangeMessageVisibility": {needs: []need{{service.ActionExtendMessages, orders, false}},
		json: `{"QueueUrl":"{url}","ReceiptHandle":"{receipt}","VisibilityTimeout":0}`,
		form: "&QueueUrl={url}&ReceiptHandle={receipt}&VisibilityTimeout=0"},
	"ChangeMessageVisibilityBatch": {needs: []need{{service.ActionExtendMessages, orders, false}},
		json: `{"QueueUrl":"{url}","Entries":[{"Id":"a","ReceiptHandle":"{receipt}","VisibilityTimeout":0}]}`,
		form: "&QueueUrl={url}&ChangeMessageVisibilityBatchRequestEntry.1.Id=a&ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle={receipt}&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=0"},
	"CreateQueue": {needs: []need{{service.ActionCreateQueue, orders, false}, {service.ActionSendMessages, dead, false}}, creates: true,
		json: `{"QueueName":"{queue}","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"{deadarn}\",\"maxReceiveCount\":9}"}}`,
		form: "&QueueName={queue}&Attribute.1.Name=RedrivePolicy&Attribute.1.Value=" + url.QueryEscape(`{"maxReceiveCount":9,"deadLetterTargetArn":"`) + "{deadarn}" + url.QueryEscape(`"}`)},
	"DeleteMessage": {needs: []need{{service.ActionDeleteMessages, orders, false}},
		json: `{"QueueUrl":"{url}","ReceiptHandle":"{receipt}"}`, form: "&QueueUrl={url}&ReceiptHandle={receipt}"},
	"DeleteMessageBatch": {needs: []need{{service.ActionDeleteMessages, orders, false}},
		json: `{"QueueUrl":"{url}","Entries":[{"Id":"a","ReceiptHandle":"{receipt}"}]}`,
		form: "&QueueUrl={url}&DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle={receipt}"},
	"DeleteQueue": {needs: []need{{service.ActionDeleteQueue, orders, false}}, json: `{"QueueUrl":"{url}"}`, form: "&QueueUrl={url}"},
	"GetQueueAttributes": {needs: []need{{service.ActionGetQueue, orders, false}},
		json: `{"QueueUrl":"{url}","AttributeNames":["All"]}`, form: "&QueueUrl={url}&AttributeName.1=All"},
	"GetQueueUrl": {needs: []need{{service.ActionFindQueue, orders, false}},
		json: `{"QueueName":"{queue}","QueueOwnerAWSAccountId":"` + home + `"}`, form: "&QueueName={queue}&QueueOwnerAWSAccountId=" + home},
	"ListDeadLetterSourceQueues": {needs: []need{{service.ActionListSources, dead, false}}, json: `{"QueueUrl":"{deadurl}"}`, form: "&QueueUrl={deadurl}"},
	"ListMessageMoveTasks":       {needs: []need{{service.ActionRedriveQueue, dead, false}}, json: `{"SourceArn":"{deadarn}"}`, form: "&SourceArn={deadarn}"},
	"ListQueueTags":              {needs: []need{{service.ActionGetQueue, orders, false}}, json: `{"QueueUrl":"{url}"}`, form: "&QueueUrl={url}"},
	"ListQueues":                 {needs: []need{{action: service.ActionListQueues, any: true}}, json: `{}`, form: "&MaxResults=10"},
	"PurgeQueue":                 {needs: []need{{service.ActionPurgeQueue, orders, false}}, json: `{"QueueUrl":"{url}"}`, form: "&QueueUrl={url}"},
	"ReceiveMessage":             {needs: []need{{service.ActionReceiveMessages, orders, false}}, json: `{"QueueUrl":"{url}"}`, form: "&QueueUrl={url}"},
	"RemovePermission":           {needs: []need{{service.ActionUpdateQueue, orders, false}}, json: `{"QueueUrl":"{url}","Label":"l"}`, form: "&QueueUrl={url}&Label=l"},
	"SendMessage": {needs: []need{{service.ActionSendMessages, orders, false}},
		json: `{"QueueUrl":"{url}","MessageBody":"c"}`, form: "&QueueUrl={url}&MessageBody=c"},
	"SendMessageBatch": {needs: []need{{service.ActionSendMessages, orders, false}},
		json: `{"QueueUrl":"{url}","Entries":[{"Id":"a","MessageBody":"c"}]}`,
		form: "&QueueUrl={url}&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=c"},
	"SetQueueAttributes": {needs: []need{{service.ActionUpdateQueue, orders, false}, {service.ActionSendMessages, dead, false}},
		json: `{"QueueUrl":"{url}","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"{deadarn}\",\"maxReceiveCount\":8}"}}`,
		form: "&QueueUrl={url}&Attribute.1.Name=RedrivePolicy&Attribute.1.Value=" + url.QueryEscape(`{"maxReceiveCount":8,"deadLetterTargetArn":"`) + "{deadarn}" + url.QueryEscape(`"}`)},
	"StartMessageMoveTask": {needs: []need{{service.ActionRedriveQueue, dead, false}, {service.ActionSendMessages, other, false}},
		json: `{"SourceArn":"{deadarn}","DestinationArn":"{otherarn}"}`, form: "&SourceArn={deadarn}&DestinationArn={otherarn}"},
	"TagQueue": {needs: []need{{service.ActionUpdateQueue, orders, false}},
		json: `{"QueueUrl":"{url}","Tags":{"a":"b"}}`, form: "&QueueUrl={url}&Tag.1.Key=a&Tag.1.Value=b"},
	"UntagQueue": {needs: []need{{service.ActionUpdateQueue, orders, false}},
		json: `{"QueueUrl":"{url}","TagKeys":["a"]}`, form: "&QueueUrl={url}&TagKey.1=a"},
}

// task is the handle of the world's redrive.
func (w *world) task() string { return taskHandle(home, w.redrive) }

func taskHandle(account, redrive string) string {
	arn := "arn:aws:sqs:" + testserver.Region + ":" + account + ":dead"
	return base64.StdEncoding.EncodeToString([]byte(`{"taskId":"` + redrive + `","sourceArn":"` + arn + `"}`))
}

func TestSQSActions(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../api/sqs/actions.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`(?m)^\t"(\w+)": +serve\(`).FindAllStringSubmatch(string(source), -1)
	if len(listed) != len(sqsActions) {
		t.Errorf("SQS has %d actions, and something is expected of %d", len(listed), len(sqsActions))
	}
	for _, form := range []bool{false, true} {
		codec := map[bool]string{false: "JSON", true: "Query"}[form]
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, service.Options{})
			var calls []call
			for _, match := range listed {
				action := match[1]
				expected, known := sqsActions[action]
				if !known {
					t.Errorf("nothing is expected of %s", action)
					continue
				}
				calls = append(calls, call{
					name: "SQS " + codec + " " + action, needs: expected.needs, nobody: http.StatusForbidden, creates: expected.creates,
					do: func(c service.Credentials) answer {
						if form {
							return w.sqs(c, action, "", w.fill(strings.ReplaceAll(expected.form, "{task}", url.QueryEscape(w.task()))))
						}
						return w.sqs(c, action, w.fill(strings.ReplaceAll(expected.json, "{task}", w.task())), "")
					},
				})
			}
			w.check(calls)
		})
	}
}
