"""The way of doorbells through redis: whatever else is put there costs nothing but itself.

Of a message three things are taken: the name of its task, what the task is about, and until when it is worth running.
The rest is made anew, so that nothing that somebody wrote into redis reaches Celery. What cannot be read is dropped:
what is to be done stands in the database, and the next sweep rings again.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from queue import Empty
from typing import Any

import structlog
from kombu.transport import redis as broker
from redis.exceptions import ResponseError

QUEUE = "celery"
"""The only one."""

KINDS = {"unacked": b"hash", "unacked_index": b"zset", "unacked_mutex": b"string"}
"""What Celery keeps in redis beside lists, by its key."""

LARGEST = 16 * 1024
"""Bytes of the longest message; one about as many reviews as are counted at once has four thousand."""

UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError)
"""What is raised by reading something else than was expected."""

_TASK = re.compile(r"tasks\.[a-z_]{1,40}\.[a-z_]{1,40}")
_MOST = 100
_LONGEST = 64

log = structlog.get_logger()


def admitted(message: object) -> dict[str, Any] | None:
    """The message made anew of what is taken of it; None for anything that is no doorbell."""
    try:
        task, about, expires = _read(message)
    except UNREADABLE:
        return None
    content = json.dumps([about, {}, {}])
    return {
        "body": base64.b64encode(content.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": str(uuid.uuid4()), "expires": expires},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": QUEUE, "routing_key": QUEUE},
            "delivery_tag": str(uuid.uuid4()),
            "priority": 0,
        },
    }


def _read(message: Any) -> tuple[str, list[str], str | None]:
    """The task's name, what it is about, and when the message expires. Raises what reading something else raises."""
    task, expires = message["headers"]["task"], message["headers"].get("expires")
    if not _TASK.fullmatch(task):
        raise ValueError("no task of this program")
    if expires is not None:
        expires = datetime.fromisoformat(expires).astimezone(UTC).isoformat()
    body = message["body"]
    if len(body) > LARGEST:
        raise ValueError("too long")
    about, named, _ = json.loads(base64.b64decode(body, validate=True))
    if named or not isinstance(about, list) or len(about) > _MOST:
        raise ValueError("not about reviews or rounds")
    if not all(isinstance(each, str) and len(each) <= _LONGEST for each in about):
        raise ValueError("not about reviews or rounds")
    return task, about, expires


def _in_order(method: Callable[..., Any]) -> Callable[..., Any]:
    """Where redis holds something of another kind under a name of Celery's, that is deleted, and it is done again."""

    @wraps(method)
    def tried(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except ResponseError as error:
            if not _is_of_another_kind(error):
                raise
            channel = self if isinstance(self, Channel) else self.channel
            channel.put_in_order()
            return method(self, *args, **kwargs)

    return tried


def _is_of_another_kind(error: ResponseError) -> bool:
    return "WRONGTYPE" in str(error)


class QoS(broker.QoS):
    """What was fetched and is not done. Entries that cannot be read are dropped."""

    append = _in_order(broker.QoS.append)
    ack = _in_order(broker.QoS.ack)
    reject = _in_order(broker.QoS.reject)
    restore_visible = _in_order(broker.QoS.restore_visible)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Puts a message back into its queue, if it can be read."""
        try:
            super().restore_by_tag(tag, client=client, leftmost=leftmost)
        except UNREADABLE as error:
            log.warning("doorbell_dropped", error=type(error).__name__)
            self._remove_from_indices(tag).execute()


class Channel(broker.Channel):
    """One queue. Where messages go is not looked up in redis, where anybody could say otherwise."""

    QoS = QoS

    _put = _in_order(broker.Channel._put)
    _size = _in_order(broker.Channel._size)

    def put_in_order(self) -> None:
        """Deletes what lies under the names of Celery's lists and tables and is of another kind."""
        lists = {self._q_for_pri(QUEUE, priority): b"list" for priority in self.priority_steps}
        with self.conn_or_acquire() as client:
            for key, kind in (lists | KINDS).items():
                if client.type(key) not in (kind, b"none"):
                    log.warning("doorbells_in_disorder")
                    client.delete(key)

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except UNREADABLE as error:
            log.warning("doorbell_dropped", error=type(error).__name__)
        except ResponseError as error:
            if not _is_of_another_kind(error):
                raise
            self.put_in_order()
        raise Empty

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        return [QUEUE] if exchange in ("", QUEUE) else []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Nothing is bound: see `_lookup`."""


class Transport(broker.Transport):
    """Celery's way through redis, for doorbells alone."""

    Channel = Channel

    def _deliver(self, message: Mapping[str, Any], queue: str) -> None:
        taken = admitted(message)
        if taken is None:
            log.warning("doorbell_dropped", error="NoDoorbell")
            return
        super()._deliver(taken, queue)
