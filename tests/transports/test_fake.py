"""The transport's fake."""

from __future__ import annotations

import json
import threading

import pytest

from lambdamagic.errors import ThrottledError
from lambdamagic.transports import InvocationReply, InvokeCall, Transport
from lambdamagic.transports.fake import FakeTransport, failed


def test_it_plays_its_script_then_echoes() -> None:
    """Replies, errors and functions come in order; after them the payload comes back. Every attempt is counted."""
    fake = FakeTransport([ThrottledError("scripted"), InvocationReply(200, b"1"), lambda i: InvocationReply(200, b"2")])
    transport: Transport = fake
    with pytest.raises(ThrottledError):
        transport.invoke(InvokeCall("f", b"x"))
    assert [transport.invoke(InvokeCall("f", b"x")).payload for _ in range(3)] == [b"1", b"2", b"x"]
    assert transport.invoke(InvokeCall("f", b"x", kind="Event")).status == 202
    assert fake.attempts == 5
    assert fake.invocations[0].function == "f"


def test_it_can_fail_for_ever() -> None:
    """`then` is met by every invocation after the script."""
    fake = FakeTransport(then=failed("Sandbox.Timedout", "2.00 seconds"))
    for _ in range(3):
        reply = fake.invoke(InvokeCall("f", b"x"))
        assert reply.function_error == "Unhandled"
        assert json.loads(reply.payload)["errorType"] == "Sandbox.Timedout"


def test_it_reports_the_number_of_concurrent_calls() -> None:
    """The largest number of invocations at once is kept, which is what tests of concurrency ask for."""
    together = threading.Barrier(3)

    def meet(invocation: InvokeCall) -> InvocationReply:
        together.wait(30)
        return InvocationReply(200, b"")

    fake = FakeTransport(then=meet)
    threads = [threading.Thread(target=fake.invoke, args=(InvokeCall("f", b""),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fake.most_at_once == 3
    fake.close()
    assert fake.closed
