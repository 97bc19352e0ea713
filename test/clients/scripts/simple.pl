# Amazon::SQS::Simple: it names the queue by the request's path, and sends a form with an
# x-amz-target header. Its Host header lacks the port, so it is told the queue's URL.
use strict;
use warnings;
use utf8;
use Amazon::SQS::Simple;
use Digest::MD5 qw(md5_hex);
use Encode qw(encode);

my $endpoint = $ENV{AWS_ENDPOINT_URL};
my $sqs = Amazon::SQS::Simple->new($ENV{AWS_ACCESS_KEY_ID}, $ENV{AWS_SECRET_ACCESS_KEY}, Endpoint => "$endpoint/");

sub check { my ($holds, $what) = @_; die "$what\n" unless $holds }

my $created = $sqs->CreateQueue('perl');
check($created->Endpoint =~ m{/000000000000/perl$}, 'created ' . $created->Endpoint);
my $queue = $sqs->GetQueue("$endpoint/000000000000/perl");
my $listed = $sqs->ListQueues(QueueNamePrefix => 'perl');
check(@$listed == 1 && $listed->[0]->Endpoint eq $created->Endpoint, "listed @$listed");

my $body = "grüße & <tags> + \"quotes\"\n100%";
my $sent = $queue->SendMessage($body);
check($sent->MD5OfMessageBody eq md5_hex(encode('UTF-8', $body)), 'the MD5 of the sent body');
my $message = $queue->ReceiveMessage('AttributeName.1' => 'ApproximateReceiveCount', WaitTimeSeconds => 5);
check($message->MessageId eq $sent->MessageId, 'another message');
check($message->MessageBody eq $body, 'received ' . encode('UTF-8', $message->MessageBody));
check($message->MD5OfBody eq md5_hex(encode('UTF-8', $body)), 'MD5 ' . $message->MD5OfBody);
check($message->{Attribute}{Value} == 1, 'the receive count');
$queue->ChangeMessageVisibility($message->ReceiptHandle, 0);
$message = $queue->ReceiveMessage(WaitTimeSeconds => 5);
$queue->DeleteMessage($message);

my @sent = $queue->SendMessageBatch(['one', 'two', 'three']);
check(@sent == 3, 'sent ' . @sent);
my @received = $queue->ReceiveMessageBatch(WaitTimeSeconds => 5);
check(join(' ', sort map { $_->MessageBody } @received) eq 'one three two', 'received ' . @received);
$queue->DeleteMessageBatch(\@received);
check($queue->GetAttributes->{ApproximateNumberOfMessagesNotVisible} == 0, 'something is left');
check(!defined($queue->ReceiveMessage), 'an empty queue');

$queue->SetAttribute('VisibilityTimeout', 77);
check($queue->GetAttributes->{VisibilityTimeout} == 77, 'the visibility timeout');
$queue->Delete;
eval { $queue->SendMessage('x') };
check($@ =~ /AWS\.SimpleQueueService\.NonExistentQueue/, "after its deletion: $@");
