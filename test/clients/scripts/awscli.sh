#!/bin/sh
# The AWS CLI of Debian, which speaks Query and takes its endpoint by option only. Each call
# costs half a second: boto3, on which it is built, is tested with the rest of the API.
set -eu

tab=$(printf '\t')

sqs() {
	action=$1
	shift
	/usr/bin/aws sqs "$action" --endpoint-url "$AWS_ENDPOINT_URL" --output text "$@"
}

# equal checks what was got ($2) against what is wanted ($3).
equal() {
	[ "$2" = "$3" ] || { echo "$1: got '$2', want '$3'" >&2; exit 1; }
}

# refused checks that a command fails with a text.
refused() {
	want=$1
	shift
	if got=$("$@" 2>&1); then echo "$*: succeeded: $got" >&2; exit 1; fi
	case $got in *"$want"*) ;; *) echo "$*: got '$got', want '$want'" >&2; exit 1 ;; esac
}

url=$(sqs create-queue --queue-name awscli --attributes VisibilityTimeout=45 --tags team=a,env=b)
equal 'queue URL' "$url" "$AWS_ENDPOINT_URL/000000000000/awscli"
equal 'list' "$(sqs list-queues --queue-name-prefix awscli --query 'QueueUrls[]')" "$url"
equal 'tags' "$(sqs list-queue-tags --queue-url "$url" --query '[Tags.team,Tags.env]')" "$(printf 'a\tb')"
sqs set-queue-attributes --queue-url "$url" --attributes '{"DelaySeconds":"0","Policy":"{\"Version\": \"2012-10-17\"}"}'

body=$(printf 'hello <w\303\266rld> & "quotes"\nline two')
equal 'MD5' "$(sqs send-message --queue-url "$url" --message-body "$body" --query MD5OfMessageBody \
	--message-attributes '{"colour":{"DataType":"String","StringValue":"r\u00f6t"},"bytes":{"DataType":"Binary","BinaryValue":"AP8="}}')" \
	"$(printf %s "$body" | md5sum | cut -d' ' -f1)"
got=$(sqs receive-message --queue-url "$url" --wait-time-seconds 5 --attribute-names All --message-attribute-names All --query 'Messages[0].[
	Body,MessageAttributes.colour.StringValue,MessageAttributes.bytes.BinaryValue,Attributes.ApproximateReceiveCount,ReceiptHandle]')
handle=${got##*"$tab"}
equal 'message' "${got%"$tab"*}" "$(printf '%s\tr\303\266t\tAP8=\t1' "$body")"
sqs change-message-visibility --queue-url "$url" --receipt-handle "$handle" --visibility-timeout 0
got=$(sqs receive-message --queue-url "$url" --attribute-names ApproximateReceiveCount --query 'Messages[0].[Attributes.ApproximateReceiveCount,ReceiptHandle]')
equal 'receive count' "${got%"$tab"*}" 2
sqs delete-message --queue-url "$url" --receipt-handle "${got##*"$tab"}"
equal 'batch' "$(sqs send-message-batch --queue-url "$url" --entries Id=a,MessageBody=one Id=b,MessageBody=two,DelaySeconds=900 \
	--query '[length(Successful),Failed]')" "$(printf '2\tNone')"
equal 'attributes' "$(sqs get-queue-attributes --queue-url "$url" --attribute-names All --query 'Attributes.[VisibilityTimeout,Policy,
	ApproximateNumberOfMessages,ApproximateNumberOfMessagesNotVisible,ApproximateNumberOfMessagesDelayed]')" \
	"$(printf '45\t{"Version": "2012-10-17"}\t1\t0\t1')"
sqs purge-queue --queue-url "$url"
equal 'empty receive' "$(sqs receive-message --queue-url "$url")" ''

sqs delete-queue --queue-url "$url"
refused '(AWS.SimpleQueueService.NonExistentQueue) when calling the SendMessage operation: The specified queue does not exist for this wsdl version.' \
	sqs send-message --queue-url "$url" --message-body x
AWS_SECRET_ACCESS_KEY=wrong
refused '(SignatureDoesNotMatch) when calling the ListQueues operation' sqs list-queues
