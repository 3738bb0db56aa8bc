"""Celery on Redis, appendfsync=always, acks_late: its tasks are no coroutines, so threads call."""

import http.client
import json
import sys
import threading
from urllib.parse import urlsplit

from celery import Celery
from common import REDIS, TARGET

app = Celery("celery_", broker=REDIS)
app.conf.update(
    task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True,
    worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 10},
)  # fmt: skip
_kept = threading.local()


@app.task(name="call")
def task(n: int) -> None:
    if not hasattr(_kept, "to"):
        _kept.to = http.client.HTTPConnection(urlsplit(TARGET).netloc)
    body = json.dumps({"n": n, "email": "ann@example.com", "name": "Ann Example"})
    _kept.to.request("PUT", "/crm", body, {"Content-Type": "application/json"})
    _kept.to.getresponse().read()


if sys.argv[1] == "fill":
    for number in range(int(sys.argv[2])):
        task.delay(number)
else:
    app.worker_main(["worker", "-P", "threads", "-c", "16", "--loglevel", "WARNING"])
