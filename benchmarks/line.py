"""A line to a server that is far away and slow: a TCP relay that delays, and that bounds what goes up. One process.

    python -m benchmarks.line PORT ROUND_TRIP_MS UPLINK_KBIT

prints the port that it listens on, and ends with its standard input. Half the round trip is waited for in each
direction, and one more for each new connection. The uplink is one for all connections; 0 sets no bound. What comes down
is delayed only.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CHUNK_BYTES = 16 * 1024


class _Line:
    def __init__(self, port: int, round_trip_s: float, uplink_bytes_s: float) -> None:
        self._port, self._round_trip_s, self._rate = port, round_trip_s, uplink_bytes_s
        self._free_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        await asyncio.sleep(self._round_trip_s)
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._port)
        up = self._carry(reader, to_writer, self._up)
        down = self._carry(to_reader, writer, lambda size: asyncio.get_running_loop().time())
        await asyncio.gather(up, down)

    def _up(self, size: int) -> float:
        now = asyncio.get_running_loop().time()
        if not self._rate:
            return now
        self._free_at = max(self._free_at, now) + size / self._rate
        return self._free_at

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, through: Callable[[int], float]
    ) -> None:
        """Carry one direction: each piece arrives half a round trip after it went through."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                at, piece = await pieces.get()
                await asyncio.sleep(at - loop.time())
                writer.write(piece)
                if not piece:
                    return

        arriving = loop.create_task(arrive())
        try:
            while piece := await reader.read(_CHUNK_BYTES):
                pieces.put_nowait((through(len(piece)) + self._round_trip_s / 2, piece))
            pieces.put_nowait((0.0, b""))
            await arriving
        except ConnectionError:
            pass
        finally:
            arriving.cancel()
            writer.close()


async def _main(port: int, round_trip_ms: float, uplink_kbit: float) -> None:
    line = _Line(port, round_trip_ms / 1000, uplink_kbit * 1000 / 8)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def far_line(port: int, *, round_trip_ms: float, uplink_kbit: float) -> Iterator[int]:
    """Give the port of a line to a port of this machine."""
    words = [sys.executable, "-m", "benchmarks.line", str(port), str(round_trip_ms), str(uplink_kbit)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
