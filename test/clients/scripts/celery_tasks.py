"""The tasks of the celery worker that celery_client.py runs. What they do is told by lines of a file."""
import os
import time

from celery import Celery

app = Celery("tasks", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(
    broker_transport_options={"region": "us-east-1", "visibility_timeout": 4, "wait_time_seconds": 2, "queue_name_prefix": "celery-"},
    broker_connection_retry_on_startup=True,
    task_default_queue="jobs",
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
)


def tell(*words):
    with open(os.environ["TOLD"], "a", encoding="utf-8") as file:
        file.write(" ".join(map(str, words)) + "\n")


@app.task
def add(a, b):
    tell("added", a + b)


@app.task(bind=True, max_retries=5, default_retry_delay=1)
def flaky(self, name):
    """Fails twice, and is retried."""
    tell("tried", name, self.request.retries)
    if self.request.retries < 2:
        raise self.retry()


@app.task(bind=True)
def hanging(self):
    """Holds its worker until that is killed; the next worker gets the message again."""
    redelivered = os.path.exists(os.environ["TOLD"] + ".killed")
    tell("again" if redelivered else "hanging", self.request.id)
    while not redelivered:
        time.sleep(60)
