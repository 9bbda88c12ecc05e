"""What is on its way is shown: bytes, percent and rate; and what went and came is in the result."""

from __future__ import annotations

import pickle
import re
import sys

import pytest

from lambdamagic.codec.size_estimate import pickled_bytes
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


def test_a_note_of_an_estimate():
    """It is called one, and is never all of it; where there is none, only what is known is shown."""
    now = [0.0]
    way = TransferNote("pickling", lambda: now[0], is_estimate=True)
    way.note(0, 0)
    assert not way.is_due()
    now[0] = 2.0
    assert way.is_due()
    assert way.note(30_000_000, 100_000_000) == "pickling 30.0 MB of about 100.0 MB · 30% · 15.0 MB/s"
    now[0] = 4.0
    assert way.note(120_000_000, 100_000_000) == "pickling 120.0 MB of about 121.2 MB · 99% · 30.0 MB/s"
    now[0] = 6.0
    assert way.note(150_000_000, 0) == "pickling 150.0 MB · 30.0 MB/s"


def _rows():
    return [{"name": f"row {n}", "n": n, "tags": ("a", "b")} for n in range(3_000)]


@pytest.mark.parametrize(
    "value",
    [_rows(), {n: str(n) for n in range(5_000)}, list(map(float, range(9_000))), {"a": _rows(), "b": [*range(9_000)]}],
    ids=["rows", "a dictionary", "floats", "nested"],
)
def test_an_estimate_is_near_what_pickle_makes(value):
    """Within a factor of two, from a sample: that is enough for a percentage."""
    assert 0.5 < pickled_bytes(value) / len(pickle.dumps(value, 5)) < 2


def test_the_pickling_of_a_large_value_says_how_far_it_is(kernel):
    """After a second, where the card is going to be; then the card takes its place, also of a quick job."""
    kernel.run(_SLOW_PICKLING)
    ran = kernel.run("%%lambda --name count\nlen(rows)")
    assert ran.value == "8"
    (first,) = [each for each in ran.bundles("display_data") if "pickling" in str(each)]
    assert re.search(r"λ count: pickling [\d.]+ (k|M)B.* · [\d.]+ (k|M)B/s · rows", first["text/plain"]), first
    assert "count" in (last := ran.bundles("update_display_data")[-1]["text/html"]) and "done" in last
    ran = kernel.run("%%lambda --plan\nlen(rows)")
    assert not any(ran.bundles("update_display_data")[-1].values()), "no card comes"


_SLOW_PICKLING = """
class Slow:
    def __reduce__(self):
        __import__('time').sleep(0.25)
        return str, ('x' * 200_000,)
rows = [Slow() for _ in range(8)]
"""


def test_a_large_upload_is_warned_of(notebook, monkeypatch):
    """Above the setting, with the largest names; not where jobs run on this machine."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    monkeypatch.setenv("LAMBDAMAGIC_WARN_UPLOAD_MB", "5")
    notebook.ok("import os\nblob, small = os.urandom(6_000_000), 1")
    assert "this job sends" not in notebook.remote("len(blob) + small").stderr
    for name, value in notebook.server.connection.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", f"lambdamagic-py3{sys.version_info.minor}-2048mb-300s")
    monkeypatch.setenv("LAMBDAMAGIC_BUCKET", "lambdamagic-local")
    ran = notebook.remote("len(blob) + small")
    assert "this job sends 6.0 MB (blob 6.0 MB" in ran.stderr and "warn_upload_mb (5)" in ran.stderr
    monkeypatch.setenv("LAMBDAMAGIC_WARN_UPLOAD_MB", "7")
    assert "this job sends" not in notebook.remote("len(blob) + small").stderr


def test_a_large_answer_says_how_far_it_is(kernel):
    """Its card shows what comes from the bucket over a slow line."""
    ran = kernel.run(f"{_SLOW_READING}\nNone")
    ran = kernel.run("%%lambda\nimport numpy as np\nback = np.random.default_rng(1).random(3_000_000)")
    kernel.run("http.client.HTTPResponse.readinto = readinto")
    shown = [str(content) for kind, content in ran.messages if kind in ("comm_msg", "update_display_data")]
    assert any(re.search(r"receiving [\d.]+ MB of 24\.\d MB · \d+% · [\d.]+ MB/s", each) for each in shown), (
        ran.messages
    )


#: Each piece that is read takes its time.
_SLOW_READING = """
import http.client, time
readinto = http.client.HTTPResponse.readinto
def slowly(self, view):
    if len(view) > 300_000:
        time.sleep(0.1)
        view = memoryview(view)[:1_000_000]
    return readinto(self, view)
http.client.HTTPResponse.readinto = slowly
"""


def test_a_large_cell_says_how_far_it_is(kernel):
    """In its card, while it is sent over a slow line; then the card has what went and came."""
    kernel.run(_SLOW_LINE)
    ran = kernel.run("import numpy as np\ndata = np.random.default_rng(1).random(2_000_000)\nNone")
    ran = kernel.run("%%lambda\ntotal = data.copy()")
    kernel.run(_FAST_LINE)
    shown = [str(content) for kind, content in ran.messages if kind in ("comm_msg", "update_display_data")]
    assert any(re.search(r"sending [\d.]+ MB of 16\.0 MB · \d+% · [\d.]+ MB/s", each) for each in shown), shown[:3]
    result = ran.bundles("update_display_data")[-1]["text/html"]
    assert re.search(r">sent</th> <td>16\.0 MB</td>.*>received</th> <td>16\.\d MB</td>", result), result[-900:]


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


def test_an_upload_is_stopped_at_its_next_piece(notebook):
    """A stopped upload leaves nothing under its digest, so that the next cell sends all of it."""
    store = notebook.session.target(notebook.session.settings({"target": "local"})).stager.store
    meter = RequestMeter()
    meter.stop(RuntimeError("stopped"))
    with paid_by(meter), pytest.raises(RuntimeError, match="stopped"):
        store.put("lambdamagic/test-stopped", [bytes(5_000_000)])
    assert not store.exists("lambdamagic/test-stopped")
