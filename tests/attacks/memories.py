"""What lies in the memory of running processes, as root on their machine reads it: /proc/<pid>/mem."""

from __future__ import annotations

import contextlib
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

PIECE = 1024 * 1024
PASSES = 3
_REGION = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r(w)?.. \S+ \S+ (\d+) *(.*)$")

Needles = Mapping[str, Sequence[bytes]]
"""Bytes to look for, by the name of their kind."""


@dataclass(frozen=True)
class Found:
    """Of one process: what it is part of, how many bytes were read, and which needles are in it, by their kind."""

    part: str
    pid: int
    size: int
    needles: Mapping[bytes, str]

    @property
    def hits(self) -> Counter[str]:
        """How many needles of each kind are in it."""
        return Counter(self.needles.values())


def search(parts: Mapping[str, int], needles: Needles) -> list[Found]:
    """Looks through the memory of these processes and of all that descend from them, the youngest first.

    What was begun meanwhile is looked at too; what has ended meanwhile holds nothing.
    """
    found: dict[int, Found] = {}
    for _ in range(PASSES):
        for part, first in parts.items():
            for process in reversed(family(first)):
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
                    if process.pid not in found:
                        found[process.pid] = _searched(part, process.pid, needles)
    return sorted(found.values(), key=lambda each: (each.part, each.pid))


def total(found: Sequence[Found]) -> Counter[str]:
    """The hits of all of them together."""
    return sum((each.hits for each in found), Counter())


def family(pid: int) -> list[psutil.Process]:
    """A process with all that descend from it."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def table(found: Sequence[Found], kinds: Iterable[str]) -> str:
    """A line for each process."""
    kinds = list(kinds)
    lines = [f"{'process':<20}{'bytes':>14}" + "".join(f"{kind:>10}" for kind in kinds)]
    for each in found:
        name = f"{each.part} {each.pid}"
        lines.append(f"{name:<20}{each.size:>14,}" + "".join(f"{each.hits[kind]:>10}" for kind in kinds))
    return "\n".join(lines)


def _regions(pid: int) -> list[tuple[int, int]]:
    """Where something may lie that the process wrote: what it can write, and what no file has given it."""
    regions = []
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        if region := _REGION.match(line):
            start, end, is_writable, inode, path = region.groups()
            if is_writable or (inode == "0" and not path.startswith("[v")):
                regions.append((int(start, 16), int(end, 16)))
    return regions


class _Search:
    """Looks for many needles at once: only where their first four bytes may stand is it worth a closer look."""

    def __init__(self, needles: Needles) -> None:
        self.missing = {needle: kind for kind, some in needles.items() for needle in some}
        self.found: dict[bytes, str] = {}
        self._by_start: dict[bytes, list[bytes]] = {}
        self._first, self._second = np.zeros(1 << 16, bool), np.zeros(1 << 16, bool)
        for needle in self.missing:
            self._by_start.setdefault(needle[:4], []).append(needle)
            first, second = struct.unpack("<HH", needle[:4])
            self._first[first] = self._second[second] = True

    def look(self, content: bytes) -> None:
        """Notes which needles are in here."""
        values = np.frombuffer(content, np.uint8).astype(np.uint16)
        pairs = values[:-1] | (values[1:] << 8)
        for place in np.flatnonzero(self._first[pairs[:-2]] & self._second[pairs[2:]]).tolist():
            for needle in self._by_start.get(content[place : place + 4], ()):
                if needle in self.missing and content.startswith(needle, place):
                    self.found[needle] = self.missing.pop(needle)


def _searched(part: str, pid: int, needles: Needles) -> Found:
    search, size = _Search(needles), 0
    for content in _contents(pid, max(map(len, search.missing), default=1)):
        size += len(content)
        search.look(content)
    return Found(part, pid, size, search.found)


def _contents(pid: int, overlap: int) -> Iterator[bytes]:
    """What was ever written, in pieces that overlap."""
    regions, untouched = _regions(pid), bytes(PIECE + overlap)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in regions:
            for first in range(start, end, PIECE):
                try:
                    memory.seek(first)
                    content = memory.read(min(PIECE + overlap, end - first))
                except ProcessLookupError:
                    raise
                except (OSError, ValueError):
                    # Reserved and never used, or given back meanwhile.
                    continue
                if content != untouched[: len(content)]:
                    yield content
