"""Every reader of bytes that others can write: the bucket, the history, the configuration and the wire.

Whatever the bytes are, a reader returns what they mean or raises an error of ours, and nothing else. They are made in
three ways: any bytes; any JSON, with NaN, lone surrogates, numbers without end and deep nesting; and a document of the
right kind in which one value was changed, so that the code behind the first check is reached too.
"""

from __future__ import annotations

import builtins
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lambdamagic.api.spending import spending
from lambdamagic.aws.invoke_refusal import InvokeRefusal
from lambdamagic.codec.home import Home
from lambdamagic.config import load_settings
from lambdamagic.config.setting_files import read_toml
from lambdamagic.config.settings import SPECS
from lambdamagic.deploy.function_logs import LogLine, _of_job
from lambdamagic.errors import ConfigError, IntegrityError, LambdaMagicError, ProtocolError
from lambdamagic.jobs.batches import error_of
from lambdamagic.jobs.diary import Diary
from lambdamagic.jobs.history import History, JobNote
from lambdamagic.jobs.invoke import arrival_of
from lambdamagic.jobs.job import FunctionRef, JobSpec, Unit
from lambdamagic.jobs.memo import Memo
from lambdamagic.jobs.staging import Stager
from lambdamagic.magics.output_bundle import outputs_bundle
from lambdamagic.protocol import keys, versions
from lambdamagic.protocol.batch import Batch, BatchAnswer, Fate
from lambdamagic.protocol.envelope import MARK, Request, Response, TaskSummary, Upload, Usage
from lambdamagic.protocol.holdings import Holdings, holdings_answer, pack, read_holdings, unpack
from lambdamagic.protocol.joblog import DISPLAYS_BEGIN, DISPLAYS_END, read_displays
from lambdamagic.protocol.manifest import Manifest, seal_block, unseal_block
from lambdamagic.protocol.payload import FrameRef, Part, Payload, SharedRef, inline_payload
from lambdamagic.protocol.report import parse_report
from lambdamagic.protocol.seal import SEALED_MOST_BYTES, seal, unseal
from lambdamagic.runs.sources import Units
from lambdamagic.runs.stored import read_stored_job
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.transports.fake import FakeTransport
from lambdamagic.transports.transport import InvocationReply
from lambdamagic.worker.trigger import is_notification, requests_of

KEY = b"k" * 32
JOB = "20260101-000000-aa"

any_text = st.text(st.characters(), max_size=8)  # with lone surrogates, which JSON can write
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), any_text, st.just("é"), st.just("\ud800")
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3), max_leaves=6
)
deep = st.sampled_from([b"[", b'{"a":']).map(lambda opening: opening * 20_000)
raw = st.one_of(st.binary(max_size=60), deep, documents.map(lambda document: json.dumps(document).encode()))


def _paths(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    entries = document.items() if isinstance(document, dict) else enumerate(document if type(document) is list else ())
    for name, value in entries:
        found += _paths(value, (*at, name))
    return found


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """Return a document with one value exchanged, taken out, or put next to the others."""
    found = copy.deepcopy(document)
    path = draw(st.sampled_from(_paths(found)))
    parent = found
    for name in path[:-1]:
        parent = parent[name]
    what = draw(st.sampled_from(["change", "change", "drop", "add"]))
    if what == "drop":
        del parent[path[-1]]
    elif what == "change":
        parent[path[-1]] = draw(documents)
    elif isinstance(parent, dict):
        parent[draw(any_text)] = draw(documents)
    else:
        parent.append(draw(documents))
    return found


def changed_text(document: Any) -> st.SearchStrategy[bytes]:
    """Return the JSON of changed documents, and any bytes."""
    document = json.loads(json.dumps(document))
    return st.one_of(raw, *[changed(document).map(lambda each: json.dumps(each).encode())] * 3)


def holds(*kinds: type[Exception]) -> Callable[..., Any]:
    """Return what calls a reader, and lets only these errors pass (by default all of ours)."""

    allowed = kinds or (LambdaMagicError,)

    def call(reader: Callable[..., Any], *args: Any, **named: Any) -> Any:
        try:
            return reader(*args, **named)
        except allowed:
            return None

    return call


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PAYLOAD = Payload(
    (FrameRef(3), FrameRef(9, "ab" * 32, "http://x"), FrameRef(2)),
    b"abcde",
    (Part("k/0", 5, "cd" * 32),),
    (SharedRef("d", (1, 1), 1, False),),
)
REQUEST = Request(
    versions.here({"dill": "0.4"}), "map", JOB, "000001-0-1", KEY, PAYLOAD, inline_payload([b"1"]), (Upload("u", "k"),)
)
RESPONSE = Response(
    versions.here(),
    "done",
    inline_payload([b"12", b"[]"]),
    outputs=[{"in_last_frame": True}],
    usage=Usage(1.0, 1.0, 3, True, "e", 1, 1),
    tasks=[TaskSummary(0.5), TaskSummary(0.1, "ValueError", ("ValueError", "Exception"))],
)
MANIFEST = Manifest(JOB, "map", "event", "work", versions.here(), PAYLOAD, {"a": 1}, 12, "f", 128, 3, 1.0)
HOLDINGS = Holdings("3.12", {"numpy": "2.0"}, requested=("numpy",), modules=("m",))


# From the bucket.


@quick
@given(changed_text(json.loads(seal({"status": "done"}, key=KEY, job_id=JOB, attempt_id="a"))))
@example(b'{"answer": "{}", "signature": "\xc3\xa9"}')
@example(b'{"answer": "\\ud800", "signature": "x"}')
@example(b"[" * 100_000)
def test_a_stored_answer(data: bytes) -> None:
    """What is not signed is an IntegrityError, whatever it looks like."""
    found = holds(IntegrityError)(unseal, data, key=KEY, job_id=JOB, attempt_id="a")
    assert found in (None, b'{"status": "done"}')


def _sealed(text: str, attempt_id: str) -> bytes:
    signature = keys.sign(KEY, "answer", JOB, attempt_id, text)
    return json.dumps({"answer": text, "signature": signature}).encode()


@quick
@given(changed_text({"manifest": 1, **vars(MANIFEST), "program": PAYLOAD.to_json()}))
def test_a_manifest(data: bytes) -> None:
    """One that was signed by another version, or is none."""
    holds()(Manifest.unsealed, data, key=KEY, job_id=JOB)
    holds()(Manifest.unsealed, _sealed(data.decode("utf-8", "surrogateescape"), "manifest"), key=KEY, job_id=JOB)


@quick
@given(changed_text({"items": PAYLOAD.to_json()}))
def test_a_block_of_arguments(data: bytes) -> None:
    """Signed or not."""
    holds()(unseal_block, data, range(3), key=KEY, job_id=JOB)
    holds()(unseal_block, _sealed(data.decode("utf-8", "surrogateescape"), "items 0 3"), range(3), key=KEY, job_id=JOB)


@quick
@given(st.lists(st.one_of(any_text, st.from_regex(r"-?[0-9]{1,20}-[0-9]{1,3}(-[0-9]{1,20})?", fullmatch=True))))
@example(["000000000012-999999999999999", "999999999999999-1"])
@example(["1-1", "000001-0-5", "0-0-0", "1--5", "١-1-1", "999999-0-999999999999999"])
def test_keys_that_others_planted_below_a_job(names: list[str]) -> None:
    """Keys that are not lambdamagic's are passed over: they name no block and no attempt."""
    store = MemoryObjectStore()
    store.put(keys.manifest_key(JOB), [MANIFEST.sealed(KEY)])
    store.put(keys.block_key(JOB, range(12)), [seal_block(PAYLOAD, range(12), key=KEY, job_id=JOB)])
    for name in names:
        store.put(keys.blocks_prefix(JOB) + name, [b"x"])
        store.put(keys.answer_key(JOB, name), [b"x"])
        store.put(keys.live_key(JOB, name), [b"done"])
    note = JobNote(JOB, "work", "event", {}, 12, 1.0, KEY, sent=["000001-0-5"])
    stager = Stager(store)
    stored = read_stored_job(stager, note)
    assert range(12) in stored.blocks
    assert stored.attempts_before >= 1
    assert stored.under_way(range(12)) in ([], ["000001-0-5"])
    assert all(keys.read_attempt_name(attempt)[1].stop <= 12 for attempt in stored.answered)
    stager.signs_of_life(JOB)


@quick
@given(
    changed_text({"sha256": "ab", "size": 3, "entries": [[["t", None], [3]]], "at": 1.0}),
    st.binary(max_size=4),
    any_text,
)
@example(b"{}", b"", "\xe9")
def test_an_index_of_kept_outcomes(data: bytes, pack_bytes: bytes, signature: str) -> None:
    """One that is not signed is passed over; one of another version, or a pack of others, is too."""
    store = MemoryObjectStore()
    name, body = keys.cache_prefix("c") + "one", data.decode("utf-8", "replace")
    secret = b"s" * 32
    store.put(f"{name}.pack", [pack_bytes])
    for number, signed in enumerate((signature, keys.sign(secret, "cache", f"{name}.index", body), 7)):
        text = json.dumps({"signature": signed, "body": body})
        store.put(f"{name}.index" if number == 1 else f"{name}{number}.index", [text.encode()])
    store.put(f"{name}-raw.index", [data])
    memo = Memo(store, secret, "c", Home({"__name__": "__main__", "__builtins__": builtins}))
    assert memo.find(["t", None]) == {}


def test_objects_that_are_too_large_to_be_ours() -> None:
    """They are refused, or passed over, before a byte is read; what is signed is read whole at first."""
    store, huge = MemoryObjectStore(), [bytes(SEALED_MOST_BYTES + 1)]
    stager, note = Stager(store), JobNote(JOB, "work", "event", {}, 12, 1.0, KEY)
    store.put(keys.answer_key(JOB, "000001-0-1"), huge)
    with pytest.raises(IntegrityError, match="more than"):
        stager.read_answer(JOB, "000001-0-1", KEY)
    store.put(keys.manifest_key(JOB), huge)
    with pytest.raises(IntegrityError, match="more than"):
        read_stored_job(stager, note)
    store.put(keys.cache_prefix("c") + "one.index", huge)
    memo = Memo(store, b"s" * 32, "c", Home({"__name__": "__main__", "__builtins__": builtins}))
    assert memo.find(["t"]) == {}


@quick
@given(changed_text(json.loads(HOLDINGS.to_json())), any_text)
def test_what_a_function_says_that_it_holds(data: bytes, variable: str) -> None:
    """In its environment variable, in the bucket, or in its answer."""
    call = holds(ProtocolError)
    call(Holdings.from_json, data)
    call(unpack, variable, lambda key: data)
    call(unpack, "1:" + variable, lambda key: data)
    call(unpack, pack(HOLDINGS)[0][:-4] + variable, lambda key: data)
    call(unpack, "s3:" + variable, lambda key: data)
    call(read_holdings, data)
    call(read_holdings, json.dumps({**holdings_answer(HOLDINGS), "holdings": data.decode("latin-1")}).encode())


@quick
@given(
    st.one_of(
        documents,
        changed({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}),
    )
)
def test_a_notification(monkeypatch: pytest.MonkeyPatch, event: Any) -> None:
    """Whoever can write to the bucket makes S3 send one, for any key."""
    monkeypatch.setenv("LAMBDAMAGIC_TRIGGER_KEY", "00" * 32)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    if is_notification(event):
        holds()(requests_of, event)


# From the history.

_HEAD = {
    "job": JOB,
    "label": "work",
    "mode": "event",
    "where": {"target": "aws"},
    "task_count": 2,
    "started_at": 1.0,
    "key": "a2V5",
    "pid": 7,
    "ended": {"state": "done", "done": 2, "failed": 0, "cost_usd": 0.5, "at": 2.0},
}


@quick
@given(st.lists(st.one_of(changed_text(_HEAD), changed_text({"sent": "000001-0-1"})), max_size=4))
@example([b"7", b"[]", b'"job"', b"null"])
@example([json.dumps({**_HEAD, "ended": {"state": "done", "cost_usd": float("nan")}}).encode()])
@example([json.dumps({**_HEAD, "started_at": 10**400}).encode(), json.dumps({**_HEAD, "started_at": 1e300}).encode()])
def test_the_history(tmp_path: Path, lines: list[bytes]) -> None:
    """Lines that are not lambdamagic's are left out: of a job's own file, and of a day's."""
    history = History(tmp_path / "jobs")
    history.diary = Diary(tmp_path / "jobs" / "days")
    history.diary.folder.mkdir(parents=True, exist_ok=True)
    whole = json.dumps({**_HEAD, "job": "whole"}).encode()
    data = b"\n".join([*lines, whole]) + b"\n"
    (history.diary.folder / "1970-01-01.jsonl").write_bytes(data)
    (history.folder / f"{JOB}.jsonl").write_bytes(b"\n".join([json.dumps(_HEAD).encode(), *lines]))
    for note in history.all():
        assert isinstance(note.state, str)
    assert history.read("whole") is not None
    assert spending("1d", history=history, now=3.0).cost_usd >= 0.5


@quick
@given(any_text)
@example("../../etc/passwd")
@example("\0")
@example("x" * 5000)
def test_a_job_id_typed_by_the_user(tmp_path: Path, job_id: str) -> None:
    """It is known or it is not, and it never leads out of the folder."""
    assert History(tmp_path).read(job_id) is None


# From the configuration.


@quick
@given(st.one_of(raw, st.text(max_size=60).map(lambda text: text.encode()), deep.map(lambda data: b"a = " + data)))
@example(b"a = " + b"[" * 20_000)
def test_a_toml_file(tmp_path: Path, data: bytes) -> None:
    """A file that is broken is a ConfigError that names it."""
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    holds(ConfigError)(read_toml, path)


@quick
@given(st.sampled_from([*SPECS]), st.one_of(documents, st.sampled_from(["nan", "inf", "9" * 5000, "1_" * 400, "-0"])))
@example("max_cost_usd", float("nan"))
@example("max_cost_usd", float("inf"))
@example("max_cost_usd", 10**400)
@example("retries", "9" * 5000)
def test_a_setting(tmp_path: Path, name: str, value: Any) -> None:
    """Whatever its type: its value is one of the setting's, or it is refused."""
    found = holds(ConfigError)(load_settings, cwd=tmp_path, environ={"HOME": str(tmp_path)}, overrides={name: value})
    if found is not None and isinstance(getattr(found.settings, name), float):
        assert 0 <= getattr(found.settings, name) <= 1_000_000
    if isinstance(value, str) and "\0" not in value:
        environ = {"HOME": str(tmp_path), f"LAMBDAMAGIC_{name.upper()}": value}
        holds(ConfigError)(load_settings, cwd=tmp_path, environ=environ)


# From the wire.

_SPEC = JobSpec(
    kind="map",
    label="test",
    function=FunctionRef("f", 128, 3),
    transport=FakeTransport(),
    stager=Stager(MemoryObjectStore()),
    program=inline_payload([b""]),
    versions=versions.here(),
    units=Units(()),
    task_count=None,
    key=KEY,
)


@quick
@given(changed_text(RESPONSE.to_json()), st.sampled_from([None, None, "Unhandled"]), st.text(max_size=40))
@example(json.dumps({**RESPONSE.to_json(), "tasks": [[float("nan"), ""]]}).encode(), None, "")
@example(b'{"errorType": [], "errorMessage": 7}', "Unhandled", "")
def test_an_answer_of_the_function(data: bytes, function_error: str | None, log: str) -> None:
    """Whoever may change the function is trusted, and still cannot end a job by a raw exception."""
    reply = InvocationReply(200, data, function_error, log_tail=log)
    holds()(arrival_of, _SPEC, Unit((0,)), "000001-0-1", reply)


@quick
@given(changed_text(REQUEST.to_json()))
def test_an_event(data: bytes) -> None:
    """An event that is not lambdamagic's is a ProtocolError, in Lambda too."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return  # Lambda itself reads the JSON
    holds(ProtocolError)(Request.from_json, event)


@quick
@given(
    changed_text(Batch.of([REQUEST.to_json()] * 2, versions=versions.here(), function="f", tasks=(0, 1)).to_json()),
    changed_text(BatchAnswer(versions.here(), (Fate(202), Fate(429, "c", "m", 1.0))).to_json()),
)
def test_a_batch_and_its_answer(batch: bytes, answer: bytes) -> None:
    """Of the invoker, which reads one, and of the client, which reads the other."""
    for data, reader in ((batch, Batch.from_json), (answer, BatchAnswer.from_json)):
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            continue
        found = holds(ProtocolError)(reader, document)
        if isinstance(found, BatchAnswer):
            for fate in found.fates:
                error_of(fate, _SPEC.function, _SPEC.transport)


@quick
@given(
    st.one_of(st.text(), st.from_regex(r"REPORT RequestId: a\t(Billed )?Duration: [0-9.]{1,400} ms\tMemory Size: .*"))
)
@example("REPORT RequestId: a\tDuration: 1.2.3 ms\tBilled Duration: . ms")
@example("REPORT RequestId: a\tDuration: " + "9" * 400 + " ms")
def test_a_log_that_looks_like_a_report(log: str) -> None:
    """What the code printed may look like Lambda's own line."""
    report = parse_report(log)
    assert report is None or 0 <= report.billed_ms < 1e16


@quick
@given(st.one_of(any_text, st.from_regex(r"LAMBDAMAGIC job=a attempt=b tasks=[0-9]{1,6000}-\d{1,30}", fullmatch=True)))
@example("LAMBDAMAGIC job=a attempt=b tasks=" + "9" * 5000 + "-1")
@example("LAMBDAMAGIC job=a attempt=b tasks=²-٣")
def test_a_log_that_looks_like_a_job(text: str) -> None:
    """What the code printed may look like the line by which an invocation names its tasks."""
    start = LogLine(1, "s", "START RequestId: 00000000-0000-0000-0000-000000000000 Version: 1")
    lines = [start, LogLine(2, "s", text), LogLine(3, "s", "x")]
    assert [line.text for line in _of_job(lines, "", None)] == [line.text for line in lines]


@quick
@given(st.one_of(changed_text([{"text/plain": "a", "image/png": "b"}]), st.just(b"[" * 20_000)))
@example(b"7")
@example(b'[7, {"text/html": 8}]')
def test_a_log_that_looks_like_displays(data: bytes) -> None:
    """What the code printed may look like the line with what a cell displays so far."""
    found = read_displays(f"{DISPLAYS_BEGIN}{data.decode('latin-1')}{DISPLAYS_END}\n")
    outputs_bundle([{"display": each} for each in found or ()], "", None)


class _Refused:
    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status, self.headers = status, headers


@quick
@given(st.integers(300, 599), changed_text({"__type": "a#B", "message": "m", "Reason": "r"}), any_text, any_text)
@example(500, b"[" * 100_000, "²", "")
def test_a_refusal_of_lambdas(status: int, data: bytes, retry_after: str, kind: str) -> None:
    """Proxies answer too: whatever comes is one of our errors."""
    headers = {"Retry-After": retry_after, "x-amzn-ErrorType": kind}
    refusal = InvokeRefusal.read(_Refused(status, headers), data)  # type: ignore[arg-type]
    assert isinstance(refusal.error("f"), LambdaMagicError)


def test_marks_are_where_the_readers_expect_them() -> None:
    """The documents that are changed here are right as they are: else no change would reach the later checks."""
    assert Request.from_json(json.loads(json.dumps(REQUEST.to_json()))) == REQUEST
    assert vars(Response.from_json(json.loads(json.dumps(RESPONSE.to_json())))) == vars(RESPONSE)
    assert Manifest.unsealed(MANIFEST.sealed(KEY), key=KEY, job_id=JOB) == MANIFEST
    assert Holdings.from_json(HOLDINGS.to_json()) == HOLDINGS
    assert MARK in REQUEST.to_json()
