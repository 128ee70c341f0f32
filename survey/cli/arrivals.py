"""How far a request has come over the wire: whether all of it is there, without reading what it says."""

from __future__ import annotations

LARGEST_HEAD = 64 * 1024
"""Bytes of a request line with its headers, several times what gunicorn lets through."""

LARGEST_BODY = 1024 * 1024
"""Bytes of a body that the program takes."""

LARGEST = LARGEST_HEAD + 2 * LARGEST_BODY
"""Bytes that a request may have in all, with what marks the chunks of its body."""

_END = b"\r\n\r\n"
_LONGEST_CHUNK_LINE = 8190


class Arrival:
    """One request as far as it has come, and what came behind it.

    What makes no sense counts as whole, so that gunicorn refuses it. `is_cut` says that the body was not waited for,
    since it is larger than the program takes. `refusal` is a status for what became too large while it came.
    """

    def __init__(self, begun: bytes = b"") -> None:
        self.is_whole = self.is_cut = self.expects_word = False
        self.refusal = ""
        self._bytes = bytearray()
        self._body: int | None = None
        self._end = 0
        self._is_chunked = False
        self.add(begun)

    def __len__(self) -> int:
        return len(self._bytes)

    def add(self, piece: bytes) -> None:
        """Takes what has come."""
        searched = max(0, len(self._bytes) - len(_END) + 1)
        self._bytes += piece
        if self._body is None and not self.is_whole:
            self._look_for_the_head(searched)
        if self._body is not None and not self.is_whole:
            self._look_for_the_end()

    def taken(self) -> tuple[bytes, bytes]:
        """The whole request, and what came behind it."""
        return bytes(self._bytes[: self._end]), bytes(self._bytes[self._end :])

    def _look_for_the_head(self, searched: int) -> None:
        found = self._bytes.find(_END, searched)
        if found >= 0:
            self._body = self._end = found + len(_END)
            self._read_the_head(bytes(self._bytes[:found]))
        elif len(self._bytes) > LARGEST_HEAD:
            self.refusal = "431 Request Header Fields Too Large"

    def _read_the_head(self, head: bytes) -> None:
        lengths: list[bytes] = []
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            match name.strip().lower():
                case b"content-length":
                    lengths.append(value.strip())
                case b"transfer-encoding":
                    self._is_chunked = True
                case b"expect":
                    self.expects_word = True
        if self._is_chunked and not lengths:
            return
        if not lengths:
            self._is_all(self._end)
        elif len(lengths) > 1 or self._is_chunked or not lengths[0].isdigit() or len(lengths[0]) > 18:
            self._is_all(len(self._bytes))
        elif int(lengths[0]) > LARGEST_BODY:
            self.is_cut = True
            self._is_all(self._end)
        else:
            self._end += int(lengths[0])

    def _look_for_the_end(self) -> None:
        if self._is_chunked:
            self._walk_the_chunks()
        elif len(self._bytes) >= self._end:
            self.is_whole = True

    def _walk_the_chunks(self) -> None:
        """Goes from chunk to chunk as far as they have come; `_end` is where the next one begins."""
        while not self.is_whole and self._end <= len(self._bytes):
            line_end = self._bytes.find(b"\r\n", self._end)
            if line_end < 0:
                if len(self._bytes) - self._end > _LONGEST_CHUNK_LINE:
                    self._is_all(len(self._bytes))
                break
            size = _chunk_size(bytes(self._bytes[self._end : line_end]))
            if size is None:
                self._is_all(len(self._bytes))
            elif size > 0:
                self._end = line_end + 2 + size + 2
            else:
                self._look_behind_the_last_chunk(line_end)
                break
        if not self.is_whole and max(self._end, len(self._bytes)) > LARGEST:
            self.refusal = "413 Content Too Large"

    def _look_behind_the_last_chunk(self, line_end: int) -> None:
        # The last chunk is empty; trailers may follow, and then an empty line.
        found = self._bytes.find(_END, line_end)
        if self._bytes[line_end + 2 : line_end + 4] == b"\r\n":
            found = line_end
        if found >= 0:
            self._is_all(found + len(_END))
        elif len(self._bytes) - line_end > LARGEST_HEAD:
            self._is_all(len(self._bytes))

    def _is_all(self, end: int) -> None:
        self.is_whole = True
        self._end = end


def _chunk_size(line: bytes) -> int | None:
    digits = line.partition(b";")[0].strip()
    try:
        return int(digits, 16) if len(digits) <= 16 and digits.isalnum() else None
    except ValueError:
        return None
