package clients

import (
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Terraform polls every five seconds until so many answers in a row are what it expects.
// Here the first ones have to be: what was written is read at once.
const (
	terraformEqual = 6
	terraformGone  = 15
)

// terraform makes the calls of Terraform's aws_sqs_queue resource.
type terraform struct {
	*awsGo
}

// create returns the new queue's URL.
func (c *terraform) create(name string, attributes, tags map[string]string) string {
	c.t.Helper()
	out, err := c.CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes, Tags: tags})
	c.must(err)
	c.poll(*out.QueueUrl, attributes)
	c.checkTags(*out.QueueUrl, tags)
	return *out.QueueUrl
}

// poll compares byte for byte what was set. An attribute set to "" may be absent.
func (c *terraform) poll(url string, want map[string]string) {
	c.t.Helper()
	for range terraformEqual {
		got := c.attributes(url, types.QueueAttributeNameAll)
		for name, value := range want {
			if got[name] != value {
				c.t.Errorf("%s of %s is %q, want %q", name, url, got[name], value)
			}
		}
	}
}

func (c *terraform) checkTags(url string, want map[string]string) {
	c.t.Helper()
	out, err := c.ListQueueTags(c.ctx, &sqs.ListQueueTagsInput{QueueUrl: &url})
	c.must(err)
	if !maps.Equal(out.Tags, want) {
		c.t.Errorf("tags are %v, want %v", out.Tags, want)
	}
}

func (c *terraform) update(url string, attributes map[string]string) {
	c.t.Helper()
	_, err := c.SetQueueAttributes(c.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: attributes})
	c.must(err)
	c.poll(url, attributes)
}

func (c *terraform) delete(url string) {
	c.t.Helper()
	_, err := c.DeleteQueue(c.ctx, &sqs.DeleteQueueInput{QueueUrl: &url})
	c.must(err)
	for range terraformGone {
		_, err := c.GetQueueAttributes(c.ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		checkCode(c.t, err, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	}
}

// terraformDefaults are what Terraform sends for what its user has not set, and more.
func terraformDefaults(more map[string]string) map[string]string {
	all := map[string]string{
		"DelaySeconds": "0", "MaximumMessageSize": "262144", "MessageRetentionPeriod": "345600",
		"ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30",
	}
	maps.Copy(all, more)
	return all
}

func TestTerraform(t *testing.T) {
	c := &terraform{newAWSGo(t)}
	c.create("dead", terraformDefaults(map[string]string{
		"RedriveAllowPolicy": `{"redrivePermission":"byQueue","sourceQueueArns":["` + arn("orders") + `"]}`,
	}), nil)
	url := c.create("orders", terraformDefaults(map[string]string{
		"Policy":               `{"Statement":[{"Action":"sqs:*","Effect":"Allow","Principal":"*","Resource":"` + arn("orders") + `"}],"Version":"2012-10-17"}`,
		"RedrivePolicy":        `{"deadLetterTargetArn":"` + arn("dead") + `","maxReceiveCount":4}`,
		"SqsManagedSseEnabled": "false",
	}), map[string]string{"Name": "orders", "Env": "test"})

	c.update(url, map[string]string{"VisibilityTimeout": "60", "Policy": "", "RedrivePolicy": "", "DelaySeconds": "5"})
	_, err := c.UntagQueue(c.ctx, &sqs.UntagQueueInput{QueueUrl: &url, TagKeys: []string{"Env"}})
	c.must(err)
	_, err = c.TagQueue(c.ctx, &sqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{"Name": "new orders"}})
	c.must(err)
	c.checkTags(url, map[string]string{"Name": "new orders"})

	c.update(url, map[string]string{"KmsMasterKeyId": "alias/mine", "KmsDataKeyReusePeriodSeconds": "600"})
	c.delete(url)
}

func TestTerraformFIFO(t *testing.T) {
	c := &terraform{newAWSGo(t)}
	url := c.create("orders.fifo", terraformDefaults(map[string]string{
		"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
	}), map[string]string{"Name": "orders"})
	c.update(url, map[string]string{"ContentBasedDeduplication": "true", "FifoThroughputLimit": "perQueue"})
	c.delete(url)
}

// Terraform reads a queue by the URL that is its id, and KEDA wants exactly these counters.
func TestTerraformReadsByURL(t *testing.T) {
	c := newAWSGo(t)
	names := []types.QueueAttributeName{
		"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
	}
	for _, url := range []string{c.queue, "https://sqs.eu-west-3.amazonaws.com/000000000000/jobs", "http://elsewhere:4566/000000000000/jobs", "jobs"} {
		out, err := c.GetQueueAttributes(c.ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(url), AttributeNames: names})
		c.must(err)
		if len(out.Attributes) != len(names) {
			t.Errorf("by %s: %v", url, out.Attributes)
		}
	}
}
