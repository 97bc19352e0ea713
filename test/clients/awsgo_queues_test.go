package clients

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tusq/test/testserver"
	"tusq/test/testservice"
)

// arn is that of a queue.
func arn(queue string) string {
	return "arn:aws:sqs:" + testserver.Region + ":" + testservice.Account + ":" + queue
}

// attributes are those of a queue that are asked for.
func (c *awsGo) attributes(queue string, names ...types.QueueAttributeName) map[string]string {
	c.t.Helper()
	out, err := c.GetQueueAttributes(c.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: names})
	c.must(err)
	return out.Attributes
}

func TestAWSGoTags(t *testing.T) {
	c := newAWSGo(t)
	out, err := c.CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: aws.String("tagged"), Tags: map[string]string{"team": "a b", "Größe": ""}})
	c.must(err)
	_, err = c.TagQueue(c.ctx, &sqs.TagQueueInput{QueueUrl: out.QueueUrl, Tags: map[string]string{"team": "c=d", "env": "test@home"}})
	c.must(err)
	_, err = c.UntagQueue(c.ctx, &sqs.UntagQueueInput{QueueUrl: out.QueueUrl, TagKeys: []string{"env", "never set"}})
	c.must(err)
	tags, err := c.ListQueueTags(c.ctx, &sqs.ListQueueTagsInput{QueueUrl: out.QueueUrl})
	c.must(err)
	if want := map[string]string{"team": "c=d", "Größe": ""}; !maps.Equal(tags.Tags, want) {
		t.Errorf("tags are %v, want %v", tags.Tags, want)
	}
	none, err := c.ListQueueTags(c.ctx, &sqs.ListQueueTagsInput{QueueUrl: &c.queue})
	c.must(err)
	if none.Tags != nil {
		t.Errorf("a queue without tags has %v", none.Tags)
	}
}

func TestAWSGoPermissions(t *testing.T) {
	c := newAWSGo(t)
	add := func(label string, accounts, actions []string) error {
		_, err := c.AddPermission(c.ctx, &sqs.AddPermissionInput{QueueUrl: &c.queue, Label: &label, AWSAccountIds: accounts, Actions: actions})
		return err
	}
	remove := func(label string) error {
		_, err := c.RemovePermission(c.ctx, &sqs.RemovePermissionInput{QueueUrl: &c.queue, Label: &label})
		return err
	}
	c.must(add("one", []string{"111111111111"}, []string{"ReceiveMessage"}))
	c.must(add("many", []string{"111111111111", "222222222222"}, []string{"SendMessage", "DeleteMessage"}))
	checkCode(t, add("one", []string{"111111111111"}, []string{"*"}), "InvalidParameterValue", "Value one for parameter Label is invalid. Reason: Already exists.")
	checkPolicy(t, c.attributes(c.queue, "Policy")["Policy"], `{
		"Version": "2008-10-17", "Id": "`+arn("jobs")+`/SQSDefaultPolicy", "Statement": [
			{"Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
				"Action": "SQS:ReceiveMessage", "Resource": "`+arn("jobs")+`"},
			{"Sid": "many", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]},
				"Action": ["SQS:SendMessage", "SQS:DeleteMessage"], "Resource": "`+arn("jobs")+`"}]}`)
	c.must(remove("one"))
	c.must(remove("many"))
	checkCode(t, remove("many"), "InvalidParameterValue", "Value many for parameter Label is invalid. Reason: can't find label.")
	if left := c.attributes(c.queue, "Policy"); len(left) != 0 {
		t.Errorf("without permissions there is %v", left)
	}
}

// checkPolicy compares two policies as JSON values.
func checkPolicy(t *testing.T, got, want string) {
	t.Helper()
	var gotValue, wantValue any
	if err := json.Unmarshal([]byte(got), &gotValue); err != nil {
		t.Fatalf("the policy %q: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &wantValue); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(gotValue, wantValue) {
		t.Errorf("the policy is %s, want %s", got, want)
	}
}

func TestAWSGoDeadLetters(t *testing.T) {
	c := newAWSGo(t)
	dead := c.create("dead", nil)
	policy := map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + arn("dead") + `","maxReceiveCount":1}`, "VisibilityTimeout": "0"}
	var want []string
	for _, name := range []string{"source-a", "source-b", "source-c"} {
		want = append(want, c.create(name, policy))
	}
	var sources []string
	pages := sqs.NewListDeadLetterSourceQueuesPaginator(c.Client, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &dead},
		func(o *sqs.ListDeadLetterSourceQueuesPaginatorOptions) { o.Limit = 2 })
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.ctx)
		c.must(err)
		sources = append(sources, page.QueueUrls...)
	}
	if !slices.Equal(sources, want) {
		t.Errorf("sources are %v, want %v", sources, want)
	}
	sent, err := c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &want[0], MessageBody: aws.String("poison")})
	c.must(err)
	if first := c.receiveFrom(want[0]); len(first) != 1 {
		t.Fatalf("first received %+v", first)
	}
	if second := c.receiveFrom(want[0]); len(second) != 0 {
		t.Errorf("received again: %+v", second)
	}
	buried := c.receiveFrom(dead)
	if len(buried) != 1 || *buried[0].MessageId != *sent.MessageId {
		t.Fatalf("the dead-letter queue has %+v", buried)
	}
	if a := buried[0].Attributes; a["DeadLetterQueueSourceArn"] != arn("source-a") || a["ApproximateReceiveCount"] != "2" {
		t.Errorf("its attributes are %v", a)
	}
}
