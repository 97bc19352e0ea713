<?php
// Symfony Messenger: a worker's round trip, a handler that fails and is retried, FIFO, and
// messages that are given back when the worker ends.
namespace Tusq;

require 'Symfony/Component/Messenger/Bridge/AmazonSqs/autoload.php';
require 'Symfony/Component/EventDispatcher/autoload.php';

use AsyncAws\Core\Exception\Http\HttpException;
use AsyncAws\Sqs\SqsClient;
use Symfony\Component\EventDispatcher\EventDispatcher;
use Symfony\Component\Messenger\Bridge\AmazonSqs\Transport\AmazonSqsFifoStamp;
use Symfony\Component\Messenger\Bridge\AmazonSqs\Transport\AmazonSqsTransportFactory;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Event\WorkerRunningEvent;
use Symfony\Component\Messenger\EventListener\SendFailedMessageForRetryListener;
use Symfony\Component\Messenger\EventListener\StopWorkerOnMessageLimitListener;
use Symfony\Component\Messenger\Exception\TransportException;
use Symfony\Component\Messenger\Handler\HandlersLocator;
use Symfony\Component\Messenger\MessageBus;
use Symfony\Component\Messenger\Middleware\HandleMessageMiddleware;
use Symfony\Component\Messenger\Retry\MultiplierRetryStrategy;
use Symfony\Component\Messenger\Stamp\RedeliveryStamp;
use Symfony\Component\Messenger\Transport\Serialization\PhpSerializer;
use Symfony\Component\Messenger\Transport\TransportInterface;
use Symfony\Component\Messenger\Worker;

final class Job
{
    public function __construct(public string $name) {}
}

/** The services by name that the retry listener asks for. */
final class Services implements \Psr\Container\ContainerInterface
{
    public function __construct(private object $service) {}
    public function get(string $id): object { return $this->service; }
    public function has(string $id): bool { return true; }
}

function check(bool $holds, string $what): void
{
    if (!$holds) {
        throw new \Exception($what);
    }
}

function transport(string $queue, ?string $secret = null): TransportInterface
{
    $dsn = preg_replace('~^http://~', 'sqs://', getenv('AWS_ENDPOINT_URL'))."/$queue?sslmode=disable&wait_time=1&poll_timeout=1&region=us-east-1&access_key=".getenv('AWS_ACCESS_KEY_ID').'&secret_key='.($secret ?? getenv('AWS_SECRET_ACCESS_KEY'));
    return (new AmazonSqsTransportFactory())->createTransport($dsn, [], new PhpSerializer());
}

/** Checks that a queue has no messages: also none that are in flight. */
function checkEmpty(string $queue): void
{
    $sqs = new SqsClient(['endpoint' => getenv('AWS_ENDPOINT_URL'), 'region' => 'us-east-1']);
    $url = $sqs->getQueueUrl(['QueueName' => $queue])->getQueueUrl();
    $names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed'];
    $counts = $sqs->getQueueAttributes(['QueueUrl' => $url, 'AttributeNames' => $names])->getAttributes();
    check(3 === count($counts) && '0' === max($counts), "$queue has ".json_encode($counts));
}

/** Runs a worker until it has handled a number of messages, failures included. */
function work(TransportInterface $transport, int $limit, callable $handler): void
{
    $events = new EventDispatcher();
    $events->addSubscriber(new StopWorkerOnMessageLimitListener($limit));
    $events->addSubscriber(new SendFailedMessageForRetryListener(new Services($transport), new Services(new MultiplierRetryStrategy(3, 1000, 1))));
    $deadline = time() + 40;
    $events->addListener(WorkerRunningEvent::class, fn () => check(time() < $deadline, 'the messages did not come'));
    $bus = new MessageBus([new HandleMessageMiddleware(new HandlersLocator([Job::class => [$handler]]))]);
    (new Worker(['sqs' => $transport], $bus, $events))->run(['sleep' => 0]);
}

function standard(): void
{
    $transport = transport('php');
    $transport->send(new Envelope(new Job('grüße & <tags>')));
    check(1 === $transport->getMessageCount(), 'the count after a send');
    $handled = [];
    work($transport, 1, function (Job $job) use (&$handled) { $handled[] = $job->name; });
    check(['grüße & <tags>'] === $handled, 'handled '.json_encode($handled));
    checkEmpty('php');
}

/** The message is sent anew with a delay of a second, and the failed one acknowledged. */
function retries(): void
{
    $transport = transport('php-retries');
    $transport->send(new Envelope(new Job('flaky')));
    $tries = [];
    work($transport, 3, function () use (&$tries) {
        $tries[] = microtime(true);
        check(count($tries) > 2, 'failed on purpose');
    });
    check(3 === count($tries), count($tries).' tries');
    // The server counts from the send, and rounds nothing; the client's clock reads later.
    check($tries[2] - $tries[0] > 1.8, 'the retries were not delayed');
    checkEmpty('php-retries');
    $transport->send((new Envelope(new Job('stamped')))->with(new RedeliveryStamp(2)));
    [$envelope] = [...$transport->get()];
    check(2 === $envelope->last(RedeliveryStamp::class)->getRetryCount(), 'the retry count was lost');
    $transport->reject($envelope);
    checkEmpty('php-retries');
}

function fifo(): void
{
    $transport = transport('php.fifo');
    foreach (['a1', 'b1', 'a2', 'a1'] as $name) {
        $transport->send(new Envelope(new Job($name), [new AmazonSqsFifoStamp($name[0], $name)]));
    }
    $handled = [];
    work($transport, 3, function (Job $job) use (&$handled) { $handled[] = $job->name; });
    check(['a1', 'a2', 'b1'] === $handled, 'handled '.json_encode($handled));
    checkEmpty('php.fifo');
}

/** The transport fetches nine messages; those that nobody handled are visible again. */
function givenBack(): void
{
    $transport = transport('php-given-back');
    foreach (range(1, 5) as $i) {
        $transport->send(new Envelope(new Job("job $i")));
    }
    work($transport, 1, fn () => null);
    $transport->reset();
    check(4 === $transport->getMessageCount(), $transport->getMessageCount().' messages are visible');
}

function wrongSecret(): void
{
    try {
        transport('php', 'wrong')->send(new Envelope(new Job('refused')));
    } catch (TransportException $e) {
        check($e->getPrevious() instanceof HttpException, 'not the client\'s error: '.$e);
        check('SignatureDoesNotMatch' === $e->getPrevious()->getAwsCode(), $e->getMessage());
        return;
    }
    throw new \Exception('a wrong secret was taken');
}

standard();
retries();
fifo();
givenBack();
wrongSecret();
