"""CloudWatch Logs of functions."""

from __future__ import annotations

import re
import socket
import time

import pytest
from moto.logs.models import logs_backends

from lambdamagic.local.control.log_streams import InvocationLog, LogBuffer, LogStream
from lambdamagic.local.server.server_options import DEFAULT_ACCOUNT_ID, DEFAULT_REGION


def _messages(account, name):
    logs = account.client("logs")
    group = f"/aws/lambda/{name}"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert all(re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", s["logStreamName"]) for s in streams)
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


def test_an_invocations_lines_are_in_its_stream_at_once(account):
    """INIT_START, START, stdout, stderr, END and REPORT, in order, without waiting."""
    name = account.deploy(
        "import sys\nprint('at init')\ndef handler(e, c):\n    print('out')\n    print('err', file=sys.stderr)\n"
    )
    request_id = account.invoke(name)["ResponseMetadata"]["RequestId"]
    lines = _messages(account, name)
    assert lines[0].startswith("INIT_START Runtime Version: python:3.")
    assert lines[1:6] == [
        "at init",
        f"START RequestId: {request_id} Version: $LATEST",
        "out",
        "err",
        f"END RequestId: {request_id}",
    ]
    fields = lines[6].split("\t")
    assert fields[0] == f"REPORT RequestId: {request_id}"
    assert [field.partition(":")[0] for field in fields[1:6]] == [
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "Init Duration",
    ]


def test_init_is_billed(account):
    """Billed Duration is the rounded-up sum of INIT and the task, as AWS bills since August 2025."""
    name = account.deploy("def handler(e, c):\n    return 1\n")
    account.invoke(name)
    report = _messages(account, name)[-1]
    duration, billed, init = (
        float(re.search(rf"\t{field}: ([\d.]+) ms", report)[1])
        for field in ("Duration", "Billed Duration", "Init Duration")
    )
    assert billed - 1.02 <= duration + init <= billed + 0.02


def test_a_traceback_is_one_event(account):
    """awslambdaric's error is one event of several lines."""
    name = account.deploy("def handler(e, c):\n    raise RuntimeError('refused')\n")
    account.invoke(name)
    (error,) = [line for line in _messages(account, name) if line.startswith("[ERROR]")]
    assert error.splitlines()[0] == "[ERROR] RuntimeError: refused"
    assert "Traceback (most recent call last):" in error.splitlines()[1]


def test_the_logging_module_works_as_on_lambda(account):
    """A warning carries level, time and request id."""
    name = account.deploy("import logging\ndef handler(e, c):\n    logging.warning('careful')\n")
    request_id = account.invoke(name)["ResponseMetadata"]["RequestId"]
    (line,) = [line for line in _messages(account, name) if "careful" in line]
    assert re.fullmatch(rf"\[WARNING\]\t\S+Z\t{request_id}\tcareful", line)


def test_a_large_output_does_not_block_the_function(account):
    """Much more than a pipe holds is printed without anybody reading the log."""
    name = account.deploy("def handler(e, c):\n    for _ in range(3000): print('y' * 100)\n    return 'done'\n")
    assert account.invoke(name)["Payload"] == "done"
    logs = account.client("logs")
    group = f"/aws/lambda/{name}"
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern="")
    assert sum(event["message"] == "y" * 100 for page in pages for event in page["events"]) == 3000


def test_output_of_a_running_invocation_is_in_the_log(account):
    """Each line once: those that were there stay, the others follow, and half a line waits for its end."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(60)
        wait = f"__import__('socket').create_connection(('127.0.0.1', {door.getsockname()[1]})).recv(1)"
        name = account.deploy(
            "def handler(e, c):\n    print('whole')\n    print('ha', end='', flush=True)\n"
            f"    {wait}\n    print('lf')\n"
        )
        account.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
        with door.accept()[0]:
            lines = _messages(account, name)
            assert lines[-1] == "whole" and lines[-2].startswith("START RequestId: ")
    while not (lines := _messages(account, name))[-1].startswith("REPORT "):
        pass  # the test's own time limit bounds it
    assert [line for line in lines if not line.startswith(("INIT_START", "START", "END", "REPORT"))] == [
        "whole",
        "half",
    ]


def test_the_log_of_a_deleted_function_stays(account):
    """What it had logged can be read after it is gone, also without an earlier request."""
    name = account.deploy("def handler(e, c):\n    print('once')\n")
    account.invoke(name)
    account.functions.delete_function(FunctionName=name)
    assert "once" in _messages(account, name)


@pytest.fixture
def groups():
    backend = logs_backends[DEFAULT_ACCOUNT_ID][DEFAULT_REGION]
    backend.reset()
    yield backend.groups
    backend.reset()


@pytest.mark.parametrize(
    ("deleted", "is_there"), [(("function", "group"), False), (("function",), True), (("group",), True)]
)
def test_a_task_that_outlives_its_function_and_its_log_group_does_not_bring_the_group_back(groups, deleted, is_there):
    """Where one of the two is left, what it logs is kept as on AWS."""
    functions = {"f"}
    buffer = LogBuffer(
        account_id=DEFAULT_ACCOUNT_ID, region=DEFAULT_REGION, has_function=lambda name: name in functions
    )
    now = time.time()
    stream, log = LogStream.create("f", "$LATEST", now), InvocationLog("id", "$LATEST", now, output=b"before\n")
    buffer.begin(stream, log)
    buffer.flush()
    assert list(groups) == ["/aws/lambda/f"]
    if "function" in deleted:
        functions.clear()
    if "group" in deleted:
        groups.clear()
    log.output += b"after\n"
    buffer.flush()
    buffer.end(log)
    buffer.append(stream, log)
    buffer.flush()
    assert list(groups) == (["/aws/lambda/f"] if is_there else [])
    if is_there:
        shown = [event.message for event in groups["/aws/lambda/f"].streams[stream.name].events]
        assert "after" in shown
        assert shown[-1].startswith("REPORT ")
