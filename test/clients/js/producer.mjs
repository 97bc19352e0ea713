// sqs-producer: more messages than a batch holds, attributes, a delay, and a FIFO queue.
import assert from 'node:assert/strict'
import { SQSClient, CreateQueueCommand, ReceiveMessageCommand, DeleteMessageBatchCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { Producer } from 'sqs-producer'

const sqs = new SQSClient({})
await standard()
await fifo()
await wrongSecret()

async function standard() {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'js-producer' }))
  const producer = Producer.create({ queueUrl: QueueUrl, sqs })
  const messages = Array.from({ length: 23 }, (_, i) => ({
    id: `id-${i}`, body: `body ${i}`, messageAttributes: { number: { DataType: 'Number', StringValue: `${i}` } },
  }))
  const sent = await producer.send(messages)
  assert.deepEqual(sent.map(({ Id }) => Id), messages.map(({ id }) => id))
  assert.equal(await producer.queueSize(), 23)
  const received = await receiveAll(QueueUrl, 23)
  assert.deepEqual(received.map(({ Body }) => Body).sort(), messages.map(({ body }) => body).sort())
  for (const { Body, MessageAttributes } of received) {
    assert.equal(Body, `body ${MessageAttributes.number.StringValue}`)
  }
  await producer.send(['text', { id: 'late', body: 'late', delaySeconds: 900 }])
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesDelayed']
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }))
  assert.deepEqual(Attributes, { ApproximateNumberOfMessages: '1', ApproximateNumberOfMessagesDelayed: '1' })
  await assert.rejects(producer.send([{ id: 'good', body: 'good' }, { id: 'bad', body: '\u0000' }]), /Failed to send messages: bad/)
}

async function fifo() {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'js-producer.fifo', Attributes: { FifoQueue: 'true' } }))
  const producer = Producer.create({ queueUrl: QueueUrl, sqs })
  const messages = Array.from({ length: 12 }, (_, i) => ({ id: `${i}`, body: `${i}`, groupId: 'g', deduplicationId: `d${i}` }))
  await producer.send(messages)
  await producer.send(messages) // again: nothing is added
  assert.equal(await producer.queueSize(), 12)
  const received = await receiveAll(QueueUrl, 12)
  assert.deepEqual(received.map(({ Body }) => Body), messages.map(({ body }) => body))
}

// receiveAll receives and deletes messages until it has a number of them.
async function receiveAll(QueueUrl, count) {
  const all = []
  while (all.length < count) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({
      QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5, MessageAttributeNames: ['All'],
    }))
    assert.notEqual(Messages.length, 0, `only ${all.length} messages`)
    const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }))
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
    all.push(...Messages)
  }
  return all
}

async function wrongSecret() {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'js-producer-wrong' }))
  const credentials = { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'wrong' }
  const producer = Producer.create({ queueUrl: QueueUrl, sqs: new SQSClient({ credentials }) })
  await assert.rejects(producer.send('text'), { name: 'SignatureDoesNotMatch' })
}
