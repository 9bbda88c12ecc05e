"""What is on its way is shown: bytes, percent and rate; and what went and came is in the result."""

from __future__ import annotations

import re

import pytest

from lambdamagic.storage.requests import RequestMeter, paid_by
from lambdamagic.widgets.transfers import TransferNote


def test_a_note_has_bytes_percent_and_rate():
    """Nothing in the first second; then the rate of the latest seconds, now and then."""
    now = [0.0]
    way = TransferNote("sending", lambda: now[0])
    assert way.note(0, 520_000_000) == ""
    now[0] = 0.9
    assert way.note(20_000_000, 520_000_000) == ""
    now[0] = 2.0
    assert way.note(52_000_000, 520_000_000) == "sending 52.0 MB of 520.0 MB · 10% · 26.0 MB/s"
    now[0] = 2.1
    assert way.note(53_000_000, 520_000_000) == "", "too soon"
    now[0] = 12.0
    assert way.note(530_000_000, 520_000_000) == "sending 520.0 MB of 520.0 MB · 100%", (
        "what was sent twice is not more"
    )


def test_a_large_cell_says_how_far_it_is(kernel):
    """In its card, while it is sent over a slow line; then the card has what went and came."""
    kernel.run(_SLOW_LINE)
    ran = kernel.run("import numpy as np\ndata = np.random.default_rng(1).random(2_000_000)\nNone")
    ran = kernel.run("%%lambda\ntotal = data.copy()")
    kernel.run(_FAST_LINE)
    shown = [str(content) for kind, content in ran.messages if kind in ("comm_msg", "update_display_data")]
    assert any(re.search(r"sending [\d.]+ MB of 16\.0 MB · \d+% · [\d.]+ MB/s", each) for each in shown), shown[:3]
    result = ran.bundles("update_display_data")[-1]["text/html"]
    assert re.search(r">sent</th>.*>received</th>.*<td>16\.0 MB</td><td>16\.\d MB</td>", result), result[-900:]


#: Each piece of a large body takes its time, as on a slow line.
_SLOW_LINE = """
import time
from lambdamagic.aws import connections
whole = connections.chunks
def slowly(views):
    for chunk in whole(views):
        time.sleep(0.15 if len(chunk) > 500_000 else 0)
        yield chunk
connections.chunks = slowly
"""
_FAST_LINE = "connections.chunks = whole"


def test_what_is_sent_is_stopped_at_its_next_piece(notebook):
    """A stopped upload leaves nothing under its digest, so that the next cell sends all of it."""
    store = notebook.session.target(notebook.session.settings({"target": "local"})).stager.store
    meter = RequestMeter()
    meter.stop(RuntimeError("stopped"))
    with paid_by(meter), pytest.raises(RuntimeError, match="stopped"):
        store.put("lambdamagic/test-stopped", [bytes(5_000_000)])
    assert not store.exists("lambdamagic/test-stopped")
