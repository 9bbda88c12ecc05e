"""CloudFormation's stacks, on moto in this process, whose threads can be held where they would meet."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdamagic.local.server.server_options import DEFAULT_ACCOUNT_ID, DEFAULT_REGION
from lambdamagic.local.stacks import stack_life

TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/g"}}}})


@pytest.fixture(scope="module", autouse=True)
def models():
    """moto's; imported here because it takes two seconds, which every worker would pay when it collects tests."""
    from moto.cloudformation import models

    stack_life.install(lambda name, doing: None)
    return models


@pytest.fixture
def backend(models):
    found = models.cloudformation_backends[DEFAULT_ACCOUNT_ID][DEFAULT_REGION]
    yield found
    _settle()
    found.reset()


def _settle():
    for thread in threading.enumerate():
        if thread.name.startswith("stack-"):
            thread.join(30)


class Meeting:
    """Lets who comes wait a moment for another who does."""

    def __init__(self):
        self._both = threading.Barrier(2)

    def come(self):
        try:
            self._both.wait(0.3)
        except threading.BrokenBarrierError:
            pass  # no other writer has come as far


class Events(list):
    """A stack's events: who begins a change meets another here, and no change ends before it is let."""

    def __init__(self, before):
        super().__init__(before)
        self.let_end = threading.Event()
        self._meeting = Meeting()

    def append(self, event):
        if threading.current_thread().name.startswith("stack-"):
            self.let_end.wait(30)
        else:
            self._meeting.come()
        super().append(event)


def _refused(*calls):
    """Make calls at once and return the errors of those that were refused."""
    with ThreadPoolExecutor(len(calls)) as threads:
        made = [threads.submit(call) for call in calls]
        return [error for error in (future.exception() for future in made) if error is not None]


def test_one_of_two_stacks_of_one_name_is_created(models, backend, monkeypatch):
    """The other is refused as on AWS, however close they come."""
    meeting, parse = Meeting(), models.Stack._parse_template

    def held(self):
        meeting.come()
        parse(self)

    monkeypatch.setattr(models.Stack, "_parse_template", held)
    (error,) = _refused(*[lambda: backend.create_stack("s", TEMPLATE, {})] * 2)
    assert type(error).__name__ == "AlreadyExistsException"
    assert len(backend.stacks) == 1


@pytest.mark.parametrize("other", ["update", "delete"])
def test_one_of_two_changes_of_a_stack_is_started(backend, other):
    """The other gets the error that the stack is busy."""
    stack = backend.create_stack("s", TEMPLATE, {})
    _settle()
    stack.events = Events(stack.events)

    def update():
        backend.update_stack("s", TEMPLATE, None, [], None)

    errors = _refused(update, update if other == "update" else lambda: backend.delete_stack("s"))
    stack.events.let_end.set()
    (error,) = errors
    assert type(error).__name__ == "ValidationError"
    assert "can not be updated" in str(error.message)


class Looking(dict):
    """A stack's new parameters: when they are read, a reader of the stack sees what is noted here."""

    def __init__(self, values, stack):
        super().__init__(values)
        self.stack, self.seen = stack, []

    def items(self):
        self.seen.append(dict(self.stack.stack_parameters))
        return super().items()


def test_a_look_at_a_stack_whose_parameters_change_finds_old_or_new_ones(backend):
    """Never one without a value, as DescribeStacks would then answer what no client can read."""
    template = json.dumps({**json.loads(TEMPLATE), "Parameters": {"Size": {"Type": "String"}}})
    stack = backend.create_stack("s", template, {"Size": "1"})
    _settle()
    parameters = Looking({"Size": "2"}, stack)
    stack_life._load(stack, parameters)
    assert parameters.seen == [{"Size": "1"}]
    assert stack.stack_parameters == {"Size": "2"}
