"""A celery worker on the sqs:// broker: tasks, retries, late acknowledgement, and a worker that is killed."""
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HERE = pathlib.Path(__file__).parent
sqs = boto3.client("sqs", endpoint_url=ENDPOINT)


def die_with_parent():
    """Ends the worker when this script is killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Worker:
    """A worker, and what its tasks have told."""

    def __init__(self, directory):
        self.told = pathlib.Path(os.environ["TOLD"])
        self.log = open(directory / "worker.log", "ab")
        command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "solo", "-l", "INFO",
                   "--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.process = subprocess.Popen(command, cwd=HERE, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)

    def await_lines(self, *wanted, limit=40):
        """Waits until each of these lines has been told once."""
        deadline = time.monotonic() + limit
        while True:
            lines = self.told.read_text(encoding="utf-8").splitlines() if self.told.exists() else []
            if all(lines.count(line) == 1 for line in wanted):
                return
            assert self.process.poll() is None, "the worker has ended"
            assert time.monotonic() < deadline, f"wanted {wanted}, got {lines}"
            time.sleep(0.05)

    def end(self, how):
        how(self.process)
        self.process.wait(20)
        self.log.close()


def await_empty(url):
    """The last acknowledgement comes after what the task has told."""
    deadline = time.monotonic() + 20
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    while set((left := sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]).values()) != {"0"}:
        assert time.monotonic() < deadline, f"left: {left}"
        time.sleep(0.05)


def broker(secret):
    address = urlsplit(ENDPOINT)
    return f"sqs://{os.environ['AWS_ACCESS_KEY_ID']}:{secret}@{address.hostname}:{address.port}//"


def refuse_wrong_secret(app):
    """A task that a wrong secret signs is not sent."""
    try:
        with app.connection_for_write(broker("wrong")) as connection:
            app.tasks["celery_tasks.add"].apply_async((1, 1), connection=connection, retry=False)
    except ClientError as e:
        assert e.response["Error"]["Code"] == "SignatureDoesNotMatch", e.response
        return
    raise AssertionError("a task was sent with a wrong secret")


def run(directory):
    os.environ["CELERY_BROKER_URL"] = broker(os.environ["AWS_SECRET_ACCESS_KEY"])
    os.environ["TOLD"] = str(directory / "told")
    sys.path.insert(0, str(HERE))
    import celery_tasks  # after its environment

    if os.environ["TUSQ_AUTH"] == "on":
        refuse_wrong_secret(celery_tasks.app)

    worker = Worker(directory)
    try:
        celery_tasks.add.delay(2, 3)
        celery_tasks.flaky.delay("ä")
        worker.await_lines("added 5", "tried ä 0", "tried ä 1", "tried ä 2")
        [url] = sqs.list_queues(QueueNamePrefix="celery-")["QueueUrls"]
        assert url.endswith("/000000000000/celery-jobs"), url
        await_empty(url)

        task = celery_tasks.hanging.delay()
        worker.await_lines(f"hanging {task.id}")
        pathlib.Path(os.environ["TOLD"] + ".killed").touch()
    finally:
        worker.end(subprocess.Popen.kill)
    worker = Worker(directory)
    try:
        worker.await_lines(f"again {task.id}")
        await_empty(url)
    finally:
        worker.end(subprocess.Popen.terminate)


with tempfile.TemporaryDirectory() as name:
    try:
        run(pathlib.Path(name))
    except BaseException:
        log = pathlib.Path(name) / "worker.log"
        print(log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.exists() else "no worker", file=sys.stderr)
        raise
