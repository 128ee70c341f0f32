"""Looking for words wherever they could be left: redis with all that ever went through it, logs, files, tables."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import redis

Content = Mapping[str, bytes]
"""Bytes by the name of where they were found."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")


def redis_now(url: str) -> dict[str, bytes]:
    """Every key with its value as redis serialises it, and the file that SAVE writes, not compressed."""
    with redis.Redis.from_url(url) as connection:
        connection.config_set("rdbcompression", "no")
        connection.save()
        folder, name = connection.config_get("dir")["dir"], connection.config_get("dbfilename")["dbfilename"]
        keys = b"\n".join(key + b"\n" + (connection.dump(key) or b"") for key in connection.scan_iter())
        return {"redis: keys": keys, "redis: the file of SAVE": (Path(folder) / name).read_bytes()}


@contextmanager
def all_commands(url: str, into: Path) -> Iterator[None]:
    """Writes down every command that redis is sent meanwhile, with its arguments."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 6379)) as line:
        line.sendall(b"MONITOR\r\n")
        assert line.recv(5) == b"+OK\r\n"
        listener = threading.Thread(target=_listen, args=(line, into))
        listener.start()
        try:
            yield
            commands_so_far(url, into)
        finally:
            line.shutdown(socket.SHUT_RDWR)
            listener.join()


def commands_so_far(url: str, into: Path) -> bytes:
    """What has been written down, up to this call."""
    marker, until = secrets.token_hex(8), time.monotonic() + 180
    with redis.Redis.from_url(url) as connection:
        connection.echo(marker)
    while marker.encode() not in (content := into.read_bytes()):
        assert time.monotonic() < until, "redis does not tell its commands"
        time.sleep(0.02)
    return content


def _listen(line: socket.socket, into: Path) -> None:
    with into.open("wb", buffering=0) as file:
        while content := line.recv(65_536):
            file.write(content)


def folder(path: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {file.name: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def hits(content: Content, words: Iterable[str]) -> Counter[str]:
    """How many of these words stand where: in plain, escaped, or in what was packed as base64."""
    words = [word.encode().lower() for word in words]
    found: Counter[str] = Counter()
    for name, plain in content.items():
        readable = unpacked(plain).lower()
        found[name] = sum(word in readable for word in words)
    return found


def unpacked(content: bytes) -> bytes:
    """The content, followed by all that is packed as base64 in it, and in that again."""
    found, layer = [content], content
    for _ in range(2):
        layer = b"\n".join(filter(None, map(_plain, _BASE64.findall(layer))))
        found.append(layer)
    return b"\n".join(found)


def _plain(packed: bytes) -> bytes:
    packed = packed.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return b""
