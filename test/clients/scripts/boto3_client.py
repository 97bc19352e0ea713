"""Debian's boto3, which speaks Query: all that it knows of the API, and FIFO."""
import hashlib
import json
import os
import urllib.error
import urllib.request
import xml.etree.ElementTree

import boto3

sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
ACCOUNT = "000000000000"


def create(name, **attributes):
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def arn(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(url, **more):
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"], **more)
    return answer.get("Messages", [])


def refused(code, text, call, **arguments):
    try:
        answer = call(**arguments)
    except sqs.exceptions.ClientError as e:
        error = e.response["Error"]
        assert error["Code"] == code and text in error["Message"], error
        return e
    raise AssertionError(f"{arguments} succeeded: {answer}")


def queues():
    url = create("boto3", VisibilityTimeout="40")
    assert url == f"{os.environ['AWS_ENDPOINT_URL']}/{ACCOUNT}/boto3", url
    assert sqs.get_queue_url(QueueName="boto3", QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == url
    assert arn(url) == f"arn:aws:sqs:us-east-1:{ACCOUNT}:boto3"
    pages = [create(f"boto3-page-{i}") for i in range(5)]
    listed = []
    for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix="boto3-page-", PaginationConfig={"PageSize": 2}):
        listed += page["QueueUrls"]
    assert listed == pages, listed
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nothing")
    sqs.tag_queue(QueueUrl=url, Tags={"team": "ä b", "env": ""})
    sqs.untag_queue(QueueUrl=url, TagKeys=["env"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "ä b"}
    policy = '{"Version": "2012-10-17",\n "Statement": []}'
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy, "KmsMasterKeyId": "alias/mine"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["Policy"] == policy and attributes["KmsMasterKeyId"] == "alias/mine", attributes
    assert attributes["SqsManagedSseEnabled"] == "false" and attributes["VisibilityTimeout"] == "40", attributes
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["111111111111", "222222222222"], Actions=["SendMessage"])
    added = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    assert added["Statement"][0]["Action"] == "SQS:SendMessage" and len(added["Statement"][0]["Principal"]["AWS"]) == 2, added
    sqs.remove_permission(QueueUrl=url, Label="l")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def messages():
    url = create("boto3-messages")
    body = "hello <wörld> & \"😀\"\r\n\t\u2028]]>"
    attributes = {
        "text": {"DataType": "String.label", "StringValue": " grüße\r\n"},
        "number": {"DataType": "Number", "StringValue": "-1.5e10"},
        "binary": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    }
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    sent = sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageAttributes=attributes, DelaySeconds=0,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}})
    assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest(), sent
    [message] = receive(url, WaitTimeSeconds=5)
    assert message["Body"] == body and message["MessageId"] == sent["MessageId"], message
    assert message["MessageAttributes"] == attributes, message["MessageAttributes"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"], message
    assert message["Attributes"]["AWSTraceHeader"] == trace and message["Attributes"]["ApproximateReceiveCount"] == "1", message
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    [again] = receive(url)
    assert again["Attributes"]["ApproximateReceiveCount"] == "2", again
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    assert receive(url) == []


def batches():
    url = create("boto3-batches")
    entries = [{"Id": f"id_{i}", "MessageBody": f"body {i}" if i != 3 else "bad \x01"} for i in range(10)]
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert len(sent["Successful"]) == 9, sent
    [failed] = sent["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("id_3", "InvalidMessageContents", True), failed
    got = receive(url)
    handles = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
    changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[{**h, "VisibilityTimeout": 60} for h in handles])
    assert len(changed["Successful"]) == 9 and "Failed" not in changed, changed
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=handles[:8] + [{"Id": "bad", "ReceiptHandle": "garbage"}])
    assert [f["Id"] for f in deleted["Failed"]] == ["bad"] and len(deleted["Successful"]) == 8, deleted
    sqs.purge_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on boto3-batches is allowed every 60 seconds.",
            sqs.purge_queue, QueueUrl=url)


def dead_letters():
    dead = create("boto3-dead")
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": "1"})
    source = create("boto3-source", RedrivePolicy=policy, VisibilityTimeout="0")
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [source]
    sent = sqs.send_message(QueueUrl=source, MessageBody="poison")
    assert len(receive(source)) == 1 and receive(source) == []
    [buried] = receive(dead)
    assert buried["MessageId"] == sent["MessageId"], buried
    assert buried["Attributes"]["DeadLetterQueueSourceArn"] == arn(source), buried


def fifo():
    url = create("boto3.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    sent = [sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[:2]) for body in ("g1-a", "g2-a", "g1-b", "g1-a")]
    assert sent[0]["MessageId"] == sent[3]["MessageId"], sent
    assert int(sent[0]["SequenceNumber"]) < int(sent[2]["SequenceNumber"]), sent
    got = receive(url, ReceiveRequestAttemptId="attempt")
    assert [m["Body"] for m in got] == ["g1-a", "g1-b", "g2-a"], got
    assert got[0]["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"g1-a").hexdigest(), got[0]
    assert [m["ReceiptHandle"] for m in receive(url, ReceiveRequestAttemptId="attempt")] == [m["ReceiptHandle"] for m in got]
    refused("MissingParameter", "The request must contain the parameter MessageGroupId.", sqs.send_message, QueueUrl=url, MessageBody="x")


def presigned():
    """URLs that somebody else may fetch; celery's broker deletes by such ones."""
    url = create("boto3-presigned")
    body = "größer > & + %20"

    def fetch(method, **parameters):
        link = sqs.generate_presigned_url(method, Params={"QueueUrl": url, **parameters}, HttpMethod="GET")
        with urllib.request.urlopen(link) as answer:
            assert answer.headers["Content-Type"].startswith("text/xml"), answer.headers
            return xml.etree.ElementTree.fromstring(answer.read())

    fetch("send_message", MessageBody=body)
    message = fetch("receive_message", WaitTimeSeconds=5)
    namespace = "{http://queue.amazonaws.com/doc/2012-11-05/}"
    assert message.findtext(f".//{namespace}Body") == body, xml.etree.ElementTree.tostring(message)
    fetch("delete_message", ReceiptHandle=message.findtext(f".//{namespace}ReceiptHandle"))
    counts = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])["Attributes"]
    assert set(counts.values()) == {"0"}, counts


def errors():
    url = create("boto3-errors", DelaySeconds="1")
    refused("QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute DelaySeconds",
            create, name="boto3-errors", DelaySeconds="2")
    gone = refused("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version.",
                   sqs.get_queue_url, QueueName="boto3-absent")
    assert gone.response["ResponseMetadata"]["HTTPStatusCode"] == 400 and gone.response["Error"]["Type"] == "Sender", gone.response
    assert isinstance(gone, sqs.exceptions.QueueDoesNotExist)
    refused("ReceiptHandleIsInvalid", 'The input receipt handle "<garbage>" is not a valid receipt handle.',
            sqs.delete_message, QueueUrl=url, ReceiptHandle="<garbage>")
    refused("InvalidAttributeName", "Unknown Attribute Foobar.", sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Foobar"])
    refused("InvalidMessageContents", "", sqs.send_message, QueueUrl=url, MessageBody="\x00")
    refused("AWS.SimpleQueueService.EmptyBatchRequest", "", sqs.send_message_batch, QueueUrl=url, Entries=[])
    sqs.delete_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds", create, name="boto3-errors")


def wrong_secret():
    """It is refused, in presigned URLs too, where there is authentication."""
    if os.environ["TUSQ_AUTH"] == "off":
        return
    wrong = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                         aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")
    denied = refused("SignatureDoesNotMatch", "", wrong.list_queues)
    assert denied.response["ResponseMetadata"]["HTTPStatusCode"] == 403, denied.response
    try:
        urllib.request.urlopen(wrong.generate_presigned_url("list_queues", HttpMethod="GET"))
        raise AssertionError("a presigned URL of a wrong secret was served")
    except urllib.error.HTTPError as e:
        assert e.code == 403 and b"<Code>SignatureDoesNotMatch</Code>" in e.read(), e


for test in (queues, messages, batches, dead_letters, fifo, presigned, errors, wrong_secret):
    test()
