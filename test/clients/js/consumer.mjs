// sqs-consumer: heartbeats, an aborted poll, and a FIFO queue.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { SQSClient, CreateQueueCommand, SendMessageCommand, ReceiveMessageCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { Consumer } from 'sqs-consumer'

const sqs = new SQSClient({})
await Promise.all([heartbeats(), heartbeatsOfBatches(), abort(), fifo()])
await wrongSecret()

async function create(QueueName, Attributes) {
  return (await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl
}

async function send(QueueUrl, ...messages) {
  for (const message of messages) {
    await sqs.send(new SendMessageCommand({ QueueUrl, ...message }))
  }
}

// start starts a consumer whose errors fail the script.
function start(options) {
  const consumer = Consumer.create({ sqs, waitTimeSeconds: 5, suppressFifoWarning: true, ...options })
  consumer.on('error', (e) => { throw e })
  consumer.start()
  return consumer
}

async function isEmpty(QueueUrl) {
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible']
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }))
  assert.deepEqual(Object.values(Attributes), ['0', '0'], QueueUrl)
}

// The handler takes longer than the visibility timeout, and nobody else receives the message.
async function heartbeats() {
  const queueUrl = await create('js-heartbeats')
  await send(queueUrl, { MessageBody: 'slow' })
  let other
  const consumer = start({
    queueUrl, visibilityTimeout: 2, heartbeatInterval: 0.75,
    handleMessage: async () => { other = await whileHandling(queueUrl) },
  })
  await once(consumer, 'message_processed')
  consumer.stop()
  assert.equal(other.Messages, undefined, 'another consumer received a message that was being handled')
  await isEmpty(queueUrl)
}

async function heartbeatsOfBatches() {
  const queueUrl = await create('js-heartbeats-of-batches')
  await send(queueUrl, { MessageBody: 'slow 1' }, { MessageBody: 'slow 2' })
  let other
  const consumer = start({
    queueUrl, visibilityTimeout: 2, heartbeatInterval: 0.75, batchSize: 10,
    handleMessageBatch: async (messages) => {
      assert.equal(messages.length, 2)
      other = await whileHandling(queueUrl)
    },
  })
  await once(consumer, 'response_processed')
  consumer.stop()
  assert.equal(other.Messages, undefined, 'another consumer received messages that were being handled')
  await isEmpty(queueUrl)
}

// whileHandling is what another consumer receives in the next four seconds.
function whileHandling(QueueUrl) {
  return sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 4, MaxNumberOfMessages: 10 }))
}

// A poll that was aborted receives nothing: the message is there for the next consumer, as new.
async function abort() {
  const queueUrl = await create('js-abort')
  const consumer = start({ queueUrl, waitTimeSeconds: 20, handleMessage: () => assert.fail('the stopped consumer handled a message') })
  await delay(300) // the poll has begun; if it has not, the rest holds all the same
  consumer.removeAllListeners('error') // it reports the abortion
  consumer.on('error', () => {})
  consumer.stop({ abort: true })
  await send(queueUrl, { MessageBody: 'hello' })
  const { Messages } = await sqs.send(new ReceiveMessageCommand({
    QueueUrl: queueUrl, WaitTimeSeconds: 5, MessageSystemAttributeNames: ['ApproximateReceiveCount'],
  }))
  assert.equal(Messages?.length, 1, 'the message went to the aborted poll')
  assert.equal(Messages[0].Attributes.ApproximateReceiveCount, '1')
}

// A group stays in order though its second message fails once, and the other group overtakes it.
async function fifo() {
  const queueUrl = await create('js-consumer.fifo', { FifoQueue: 'true', ContentBasedDeduplication: 'true' })
  const message = (MessageGroupId, MessageBody) => ({ MessageGroupId, MessageBody })
  await send(queueUrl, message('a', 'a1'), message('a', 'a2'), message('a', 'a3'), message('b', 'b1'), message('b', 'b2'))
  const handled = []
  const consumer = start({
    queueUrl, messageSystemAttributeNames: ['All'], terminateVisibilityTimeout: true,
    handleMessage: async ({ Body, Attributes }) => {
      if (Body === 'a2' && Attributes.ApproximateReceiveCount === '1') {
        throw new Error('once')
      }
      handled.push(Body)
    },
  })
  const failed = once(consumer, 'processing_error')
  while (handled.length < 5) {
    await once(consumer, 'message_processed')
  }
  consumer.stop()
  await failed
  assert.deepEqual(handled.filter((body) => body.startsWith('a')), ['a1', 'a2', 'a3'])
  assert.deepEqual(handled.filter((body) => body.startsWith('b')), ['b1', 'b2'])
}

// A consumer with a wrong secret tells that it must not receive.
async function wrongSecret() {
  const queueUrl = await create('js-wrong')
  const credentials = { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'wrong' }
  const consumer = Consumer.create({ sqs: new SQSClient({ credentials }), queueUrl, suppressFifoWarning: true, handleMessage: () => {} })
  consumer.start()
  const [error] = await once(consumer, 'error').catch((e) => [e]) // which rejects for this event
  consumer.stop({ abort: true })
  assert.equal(error.name, 'SQSError')
  assert.equal(error.code, 'SignatureDoesNotMatch')
  assert.equal(error.statusCode, 403)
}
