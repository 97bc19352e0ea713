// The AWS SDK for JavaScript. It checks the MD5 of every body, and sends to the origin of
// a queue's URL when its user has configured no endpoint.
import assert from 'node:assert/strict'
import {
  SQSClient, CreateQueueCommand, DeleteQueueCommand, GetQueueUrlCommand, SendMessageCommand, SendMessageBatchCommand,
  ReceiveMessageCommand, DeleteMessageCommand, DeleteMessageBatchCommand, ChangeMessageVisibilityCommand, GetQueueAttributesCommand,
  ListQueuesCommand, PurgeQueueCommand, TagQueueCommand, ListQueueTagsCommand,
  SQSServiceException, QueueDoesNotExist, PurgeQueueInProgress, ReceiptHandleIsInvalid, QueueDeletedRecently, EmptyBatchRequest,
} from '@aws-sdk/client-sqs'

const { AWS_ENDPOINT_URL: endpoint } = process.env
delete process.env.AWS_ENDPOINT_URL
const atEndpoint = new SQSClient({ endpoint })
const atQueue = new SQSClient({}) // of itself it would ask Amazon

const { QueueUrl } = await atEndpoint.send(new CreateQueueCommand({ QueueName: 'js-sdk', tags: { language: 'JavaScript' } }))
assert.equal(QueueUrl, `${endpoint}/000000000000/js-sdk`)
assert.equal((await atEndpoint.send(new GetQueueUrlCommand({ QueueName: 'js-sdk' }))).QueueUrl, QueueUrl)

for (const sqs of [atEndpoint, atQueue]) {
  await roundTrip(sqs)
  await batches(sqs)
}
await tags()
await errors(atQueue)
await emptyAnswers()
if (process.env.TUSQ_AUTH === 'on') await wrongSecret()

async function roundTrip(sqs) {
  const MessageBody = 'hello <wörld> & "😀"\r\n\t'
  const MessageAttributes = {
    text: { DataType: 'String.custom', StringValue: 'grüße' },
    number: { DataType: 'Number', StringValue: '42' },
    binary: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255]) },
  }
  const sent = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes }))
  const { Messages: [message] } = await receive(sqs, { WaitTimeSeconds: 5 })
  assert.equal(message.MessageId, sent.MessageId)
  assert.equal(message.Body, MessageBody)
  assert.deepEqual(message.MessageAttributes, MessageAttributes)
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes)
  assert.equal(message.Attributes.ApproximateReceiveCount, '1')
  await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0 }))
  const { Messages: [again] } = await receive(sqs)
  assert.equal(again.Attributes.ApproximateReceiveCount, '2')
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again.ReceiptHandle }))
}

async function batches(sqs) {
  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `n${i}`, MessageBody: i === 3 ? 'bad \u0001' : `body ${i}` }))
  const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
  assert.equal(sent.Successful.length, 9)
  assert.deepEqual(sent.Failed.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]), [['n3', 'InvalidMessageContents', true]])
  const { Messages } = await receive(sqs)
  assert.equal(Messages.length, 9)
  const deleted = await sqs.send(new DeleteMessageBatchCommand({
    QueueUrl, Entries: Messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle })),
  }))
  assert.equal(deleted.Successful.length, 9)
  assert.equal(deleted.Failed, undefined)
}

function receive(sqs, more) {
  return sqs.send(new ReceiveMessageCommand({
    QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['All'], ...more,
  }))
}

async function tags() {
  await atQueue.send(new TagQueueCommand({ QueueUrl, Tags: { team: 'ä b' } }))
  const { Tags } = await atQueue.send(new ListQueueTagsCommand({ QueueUrl }))
  assert.deepEqual(Tags, { language: 'JavaScript', team: 'ä b' })
}

// Without the header x-amzn-query-error the SDK knows none of these types.
async function errors(sqs) {
  const absent = QueueUrl + '-absent'
  await fails(new SendMessageCommand({ QueueUrl: absent, MessageBody: 'x' }), QueueDoesNotExist, 'AWS.SimpleQueueService.NonExistentQueue')
  await fails(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: 'garbage' }), ReceiptHandleIsInvalid, 'ReceiptHandleIsInvalid', 404)
  await fails(new SendMessageBatchCommand({ QueueUrl, Entries: [] }), EmptyBatchRequest, 'AWS.SimpleQueueService.EmptyBatchRequest')
  await sqs.send(new PurgeQueueCommand({ QueueUrl }))
  await fails(new PurgeQueueCommand({ QueueUrl }), PurgeQueueInProgress, 'AWS.SimpleQueueService.PurgeQueueInProgress', 403)
  const deleted = await atEndpoint.send(new CreateQueueCommand({ QueueName: 'js-deleted' }))
  await sqs.send(new DeleteQueueCommand(deleted))
  const again = new CreateQueueCommand({ QueueName: 'js-deleted' })
  await fails(again, QueueDeletedRecently, 'AWS.SimpleQueueService.QueueDeletedRecently', 400, atEndpoint)

  async function fails(command, type, code, status = 400, by = sqs) {
    await assert.rejects(by.send(command), (e) => {
      assert.ok(e instanceof type, `${e.name} is no ${type.name}`)
      assert.equal(e.Code ?? e.Error?.Code, code)
      assert.equal(e.$fault, 'client')
      assert.equal(e.$metadata.httpStatusCode, status)
      return true
    })
  }
}

async function emptyAnswers() {
  assert.equal((await receive(atQueue)).Messages, undefined)
  assert.equal((await atEndpoint.send(new ListQueuesCommand({ QueueNamePrefix: 'nothing' }))).QueueUrls, undefined)
  assert.equal((await atQueue.send(new GetQueueAttributesCommand({ QueueUrl }))).Attributes, undefined)
}

async function wrongSecret() {
  const credentials = { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'wrong' }
  await assert.rejects(new SQSClient({ endpoint, credentials }).send(new ListQueuesCommand({})), (e) => {
    assert.ok(e instanceof SQSServiceException, `${e}`)
    assert.equal(e.name, 'SignatureDoesNotMatch')
    assert.equal(e.$metadata.httpStatusCode, 403)
    assert.equal(e.$metadata.attempts, 1) // it is no error that goes away
    return true
  })
}
