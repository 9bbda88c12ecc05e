"""Reading one piece of an object straight into memory, and resuming where it broke."""

from __future__ import annotations

import http.client
from collections.abc import Callable

from lambdamagic.aws.connections import CHUNK_BYTES
from lambdamagic.errors import IntegrityError
from lambdamagic.protocol.reading import digits
from lambdamagic.storage.refusals import ERROR_BODY_BYTES, expect, object_name
from lambdamagic.storage.requests import MeteredConnections, payer


class Piece:
    """A run of an object's bytes on its way into a buffer.

    `read` may be called again after it broke: it asks for the rest only. Not thread-safe; every piece has its thread.

    Args:
        connections: Where requests go through.
        url: The presigned URL.
        buffer: Filled; its length is the piece's.
        start: Where in the object the piece begins.
        size: The whole object's length, as it is expected to be.
        etag: The object's ETag if it is known: what was replaced meanwhile must not be read half and half.
        progressed: Called with the number of the piece's bytes that have arrived.

    Attributes:
        position: How many of the piece's bytes are there.
        etag: The object's ETag, once a response had it.
    """

    def __init__(
        self,
        connections: MeteredConnections,
        url: str,
        buffer: memoryview,
        *,
        start: int = 0,
        size: int,
        etag: str | None = None,
        progressed: Callable[[int], object] | None = None,
    ) -> None:
        self.position = 0
        self.etag = etag
        self._connections = connections
        self._url = url
        self._buffer = buffer
        self._start = start
        self._size = size
        self._progressed = progressed

    def read(self) -> None:
        """Read what is still missing.

        Raises:
            FileNotFoundError: there is no such object.
            IntegrityError: it has another size, or was replaced between two calls.
            Refused: the store refused.
            OSError: or `http.client.HTTPException`: the connection broke.
        """
        if self.position and self.position == len(self._buffer):
            return  # only the end of the response was lost
        whole = len(self._buffer) == self._size and self.position == 0
        headers = (
            {} if whole else {"Range": f"bytes={self._start + self.position}-{self._start + len(self._buffer) - 1}"}
        )
        if self.etag:
            headers["If-Match"] = self.etag
        with self._connections.exchange("GET", self._url, headers=headers) as response:
            if response.status == 416:
                response.read(ERROR_BODY_BYTES)
                raise IntegrityError(f"{object_name(self._url)!r} holds fewer than {self._size:,} bytes")
            if response.status == 412:
                response.read(ERROR_BODY_BYTES)
                raise IntegrityError(f"{object_name(self._url)!r} was replaced while it was read")
            expect(response, (200 if whole else 206,), self._url)
            self.fill(response)

    def fill(self, response: http.client.HTTPResponse) -> None:
        """Take the missing bytes from an answer to the right request; see `read`."""
        total = total_size(response)
        if total is not None and total != self._size:
            raise IntegrityError(f"{object_name(self._url)!r} holds {total:,} bytes where {self._size:,} were expected")
        self.etag = self.etag or response.headers.get("ETag")
        size = len(self._buffer)
        while self.position < size:
            count = response.readinto(self._buffer[self.position : self.position + CHUNK_BYTES])
            if not count:
                raise http.client.IncompleteRead(b"", size - self.position)
            self.position += count
            payer().received(count)
            if self._progressed is not None:
                self._progressed(self.position)
        response.read()  # marks the response as finished, so that its connection is kept


def total_size(response: http.client.HTTPResponse) -> int | None:
    """Return the whole object's length as stated by a response, or None."""
    if response.status == 206:
        return digits(response.headers.get("Content-Range", "").rpartition("/")[2])
    return response.length
