# Version 1 of the AWS SDK for Ruby, which checks the MD5 of bodies. Its Host header lacks
# the port, and so do the queue URLs that it is given; it sends to its configured port.
require 'aws-sdk'
require 'uri'

endpoint = URI(ENV.fetch('AWS_ENDPOINT_URL'))
AWS.config(use_ssl: false, sqs_endpoint: endpoint.host, sqs_port: endpoint.port, region: 'us-east-1')

def check(holds, what)
  raise what unless holds
end

sqs = AWS::SQS.new
queue = sqs.queues.create('ruby', visibility_timeout: 50)
check queue.url == "http://#{endpoint.host}/000000000000/ruby", "created #{queue.url}"
check sqs.queues.named('ruby').url == queue.url, 'found another queue'
check sqs.queues.with_prefix('ruby').map(&:url) == [queue.url], 'listed others'
check queue.visibility_timeout == 50, "visibility timeout #{queue.visibility_timeout}"
check queue.arn == 'arn:aws:sqs:us-east-1:000000000000:ruby', queue.arn

body = "grüße & <tags> + \"quotes\"\n100%"
sent = queue.send_message(body, message_attributes: { 'text' => { string_value: 'ä', data_type: 'String' } })
check sent.md5 == Digest::MD5.hexdigest(body), "MD5 #{sent.md5}"
message = queue.receive_message(attributes: [:all], message_attribute_names: ['All'], wait_time_seconds: 5)
check message.body == body, "received #{message.body}"
check message.id == sent.message_id, 'another message'
check message.message_attributes['text'][:string_value] == 'ä', "attributes #{message.message_attributes}"
check message.approximate_receive_count == 1, "received #{message.approximate_receive_count} times"
message.visibility_timeout = 0
again = queue.receive_message(wait_time_seconds: 5)
check again.id == message.id, 'received another message again'
again.delete

sent = queue.batch_send('one', 'two', 'three')
check sent.size == 3, "sent #{sent}"
received = queue.receive_message(limit: 10, wait_time_seconds: 5)
check received.map(&:body).sort == %w[one three two], "received #{received.map(&:body)}"
queue.batch_change_visibility(120, received)
queue.batch_delete(received)
check queue.approximate_number_of_messages.zero? && queue.invisible_messages.zero?, 'something is left'
check queue.receive_message.nil?, 'an empty queue'

queue.delete
begin
  queue.send_message('x')
  raise 'sent to a deleted queue'
rescue AWS::SQS::Errors::NonExistentQueue => e
  check e.http_response.status == 400, e.message
end

begin
  AWS::SQS.new(access_key_id: ENV.fetch('AWS_ACCESS_KEY_ID'), secret_access_key: 'wrong').queues.create('ruby-wrong')
  raise 'a wrong secret was taken'
rescue AWS::SQS::Errors::SignatureDoesNotMatch => e
  check e.http_response.status == 403, e.message
end
