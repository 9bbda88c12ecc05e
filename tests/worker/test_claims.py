"""The claim that keeps an event from running twice, explored in every order in which its requests can meet.

Each delivery is the real code (`claim`, then the answer, then the last sign), run again from its beginning with the
answers that it got so far, so that a state of the search is what is stored and what each delivery has heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lambdamagic.protocol.envelope import Live
from lambdamagic.protocol.life import DONE
from lambdamagic.storage.object_store import TransferError
from lambdamagic.storage.presigned import Transfer
from lambdamagic.worker.beacon import claim
from tests.storage.scripted import ScriptedServer, error

_LIVE = Live("sign", "sign", "answer", 10.0)


@dataclass(frozen=True)
class _Request:
    """One request; `value` is None for a read, and `is_first` says that it writes only where there is nothing."""

    key: str
    value: bytes | None = None
    is_first: bool = False


@dataclass(frozen=True)
class _World:
    """What is stored, what is still on its way, and what each delivery has heard.

    Attributes:
        stored: The bucket.
        heard: The answers that each delivery got, in order.
        late: Writes whose answer was lost, and which are not yet stored.
        losses: How many more answers may be lost.
        conflicts: How many more conditional writes S3 may answer with 409.
        is_read: Whether the client has seen the last sign, and deletes it.
        deletes: How often it still does: an answer may be lost there too.
    """

    stored: frozenset[tuple[str, bytes]]
    heard: tuple[tuple[Any, ...], ...]
    late: tuple[_Request, ...] = ()
    losses: int = 2
    conflicts: int = 1
    is_read: bool = False
    deletes: int = 2

    def after(self, request: _Request) -> tuple[_World, Any]:
        """Return the world after a request that S3 carried out, and what it answers."""
        stored = dict(self.stored)
        if request.value is None:
            return self, stored.get(request.key)
        if request.is_first and request.key in stored:
            return self, 412
        stored[request.key] = request.value
        return replace(self, stored=frozenset(stored.items())), 200


class _Paused(BaseException):
    """A delivery waits for the answer to its next request."""


class _Replayed:
    """A transfer that answers from what a delivery has heard, and pauses it at its first new request."""

    def __init__(self, heard: tuple[Any, ...]) -> None:
        self._heard = list(heard)
        self.request: _Request | None = None
        self.has_run = False

    def upload(self, url: str, segments: list[bytes], *, headers: dict[str, str] | None = None) -> str:
        answer = self._ask(_Request(url, b"".join(segments), is_first=headers is not None))
        if answer != 200:
            raise TransferError("refused", status=answer)
        return ""

    def fetch(self, url: str) -> bytearray:
        answer = self._ask(_Request(url))
        if answer is None:
            raise FileNotFoundError(url)
        return bytearray(answer)

    def _ask(self, request: _Request) -> Any:
        if self._heard:
            return self._heard.pop(0)
        self.request = request
        raise _Paused


def _deliver(number: int, transfer: _Replayed) -> None:
    """Carry a delivery out as the handler does."""
    transfer.has_run = claim(_LIVE, b"sign of %d" % number, transfer)  # type: ignore[arg-type]
    if transfer.has_run:
        transfer.upload(_LIVE.answer_url, [b"answer of %d" % number])
        transfer.upload(_LIVE.put_url, [DONE])


def _look(number: int, heard: tuple[Any, ...]) -> _Replayed:
    """Return a delivery at its next request, or at its end, where it has none."""
    transfer = _Replayed(heard)
    try:
        _deliver(number, transfer)
    except _Paused:
        pass
    return transfer


def _next(world: _World) -> Iterator[_World]:
    for number, heard in enumerate(world.heard):
        request = _look(number, heard).request
        if request is None:
            continue

        def answered(after: _World, answer: Any, number: int = number) -> _World:
            heard = (*after.heard[number], answer)
            return replace(after, heard=(*after.heard[:number], heard, *after.heard[number + 1 :]))

        yield answered(*world.after(request))
        if request.value is None:
            continue
        if world.losses:  # it is carried out, now or later, and sent again since its answer was lost
            yield replace(world, late=(*world.late, request), losses=world.losses - 1)
        if request.is_first and world.conflicts:
            yield answered(replace(world, conflicts=world.conflicts - 1), 409)
    for index, request in enumerate(world.late):
        yield replace(world.after(request)[0], late=(*world.late[:index], *world.late[index + 1 :]))
    stored = dict(world.stored)
    if stored.get("sign") == DONE and not world.is_read:
        yield replace(world, is_read=True)
    if world.is_read and world.deletes:
        stored.pop("sign", None)
        yield replace(world, stored=frozenset(stored.items()), deletes=world.deletes - 1)


@pytest.mark.parametrize("deliveries", [2, 3])
def test_an_event_runs_once_in_every_order(deliveries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries, lost answers, conflicts, late writes and the client's deletes: one run, and one answer in the end."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    # Three deliveries with as many faults as two would be millions of worlds.
    begin = _World(frozenset(), ((),) * deliveries, losses=2 if deliveries == 2 else 1)
    seen, waiting, ended = {begin}, [begin], 0
    while waiting:
        world = waiting.pop()
        looks = [_look(number, heard) for number, heard in enumerate(world.heard)]
        ran = [number for number, look in enumerate(looks) if look.has_run]
        assert len(ran) <= 1, world
        if all(look.request is None for look in looks):
            ended += 1
            assert len(ran) == 1, world
            assert dict(world.stored)["answer"] == b"answer of %d" % ran[0]
        for following in _next(world):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    assert ended > 10
    assert len(seen) > 300


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ExpiredToken"), (403, "AccessDenied"), (403, "RequestExpired"), (400, "InvalidRequest")]
)
def test_an_event_whose_sign_is_refused_is_not_run(status: int, code: str) -> None:
    """The links' credentials have ended: the answer could not be stored either, and the code would run for nothing."""
    with ScriptedServer(*[error(status, code)] * 6) as server:
        live = Live(f"{server.url}/live?put", f"{server.url}/live?get", f"{server.url}/answer", 10.0)
        with closing(Transfer()) as transfer:
            assert not claim(live, b"sign", transfer)
        assert [request.method for request in server.requests] == ["PUT"]
