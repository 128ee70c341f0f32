"""What lies in the memory of running processes, as root on their machine reads it: /proc/<pid>/mem."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def _searched(part: str, pid: int, needles: Needles) -> Found:
    missing = {needle: kind for kind, some in needles.items() for needle in some}
    size, found = 0, {}
    for content in _contents(pid, max(map(len, missing), default=1)):
        size += len(content)
        for needle in [needle for needle in missing if needle in content]:
            found[needle] = missing.pop(needle)
    return Found(part, pid, size, found)


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
