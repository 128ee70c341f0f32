"""The Celery app. A message is a doorbell: what is to be done stands in the database, and a sweep finds it."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging, worker_init, worker_process_init
from flask import Flask

from config import BadConfig, Config
from survey import context
from survey.app import create_app, refuse_other_keys
from survey.cli import memory
from survey.cli.logs import log_others_to_stderr, log_to_stderr
from survey.context import DOORBELLS, EXTENSION
from tasks.schedule import SCHEDULE

TIME_LIMIT = 120
VISIBILITY = 300


class TaskFailed(Exception):
    """A task ended with an error. Says its kind and the line of code, never its text: that may hold an answer."""


def make_worker(app: Flask) -> Celery:
    """A Celery app whose tasks run inside this Flask app."""
    config: Config = app.extensions["config"]

    class InContext(Task):
        """A task with the app around it."""

        abstract = True

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            try:
                with app.app_context():
                    return self.run(*args, **kwargs)
            except Exception as error:
                raise TaskFailed(context.described(error)) from None

    worker = Celery("survey", broker=config.redis_url, task_cls=InContext, include=TASKS)
    worker.conf.update(
        beat_schedule=SCHEDULE,
        timezone="UTC",
        task_ignore_result=True,
        accept_content=["json"],
        # By default everybody who reaches redis may stop a worker, shrink its pool, and ask it what it does.
        worker_enable_remote_control=False,
        # By default a worker ends at the first line that is no JSON.
        broker_transport=DOORBELLS,
        # By default a task is acknowledged when it begins, and lost with its worker. Every task here may run twice.
        task_acks_late=True,
        # Without it, a task whose child was killed counts as done.
        task_reject_on_worker_lost=True,
        # Shorter than the broker waits before it hands a task out again.
        task_time_limit=TIME_LIMIT,
        # A task may hold an answer, a link or a key: the process that ran it ends with it, and its memory too.
        worker_max_tasks_per_child=1,
        # What a worker has fetched and not begun is lost with it for as long as the broker waits.
        worker_prefetch_multiplier=1,
        # By default a worker gives up after a hundred attempts to reach redis.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # Longer than any task may run, or it would run twice at once.
            "visibility_timeout": VISIBILITY,
            # By default what a killed worker held comes back minutes after that (measured: 100 s instead of 7).
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            # A redis that is there and says nothing would otherwise be listened to for ever.
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
        },
        worker_hijack_root_logger=False,
    )
    return worker


TASKS = [
    "tasks.outbox",
    "tasks.cycles",
    "tasks.tally",
    "tasks.people",
    "tasks.releases",
    "tasks.canary",
    "tasks.keys",
    "tasks.retention",
    "tasks.shakes",
]


def _make() -> Celery:
    log_to_stderr()
    memory.keep_to_this_process()
    # Beat needs no keys, and its container has none.
    app = create_app(is_command=True)
    worker = make_worker(app)

    @setup_logging.connect(weak=False)
    def log_as_the_program_does(**_: object) -> None:
        # With a receiver Celery leaves logging alone: its own lines would name the error of a task by its text.
        log_others_to_stderr()

    @worker_init.connect(weak=False)
    def refuse_other_keys_(**_: object) -> None:
        try:
            refuse_other_keys(app)
        except BadConfig as error:
            raise SystemExit(str(error)) from None

    @worker_process_init.connect(weak=False)
    def leave_connections_to_the_parent(**_: object) -> None:
        # A connection that two processes write to answers the wrong one.
        app.extensions[EXTENSION].engine.dispose(close=False)

    return worker


celery = _make()
