"""Stacks that earlier runs, or others, left in a bad state: how deploy and destroy handle each."""

from __future__ import annotations

from typing import Any

import pytest

from lambdamagic.deploy.destroy import Demolition
from lambdamagic.deploy.managed import Functions
from lambdamagic.deploy.stack import Stack
from lambdamagic.errors import FunctionMissingError, StackFailedError
from tests.deploy.accounts import Account


@pytest.mark.parametrize("odd", ["no_stack", "a b", "../x", "-", "é", "x" * 300])
def test_a_name_that_nothing_can_have(account: Account, odd: str) -> None:
    """`lambdamagic status` of it says that there is nothing, in our words; a function may have what no stack can."""
    assert Stack(account.access, odd).state() is None
    with pytest.raises(FunctionMissingError, match="no function"):
        Functions(account.access).find(odd)


def test_a_way_back_that_failed_is_gone_to_its_end(account: Account, code: Any, name: str) -> None:
    """UPDATE_ROLLBACK_FAILED: the next run continues the rollback and then makes the change."""
    account.deployment(name, code, memory_mb=512).apply()
    account.faults.fail_resource("Function", count=2)
    with pytest.raises(StackFailedError, match="UPDATE_ROLLBACK_FAILED"):
        account.deployment(name, code, memory_mb=1024).apply()
    assert account.stack_status(name) == "UPDATE_ROLLBACK_FAILED"
    notes: list[str] = []
    again = account.deployment(name, code, memory_mb=1024, on_note=notes.append)
    assert again.apply().has_changed
    assert "completing it" in notes[0]
    assert account.ask("lambda", "get_function_configuration", FunctionName=name)["MemorySize"] == 1024


def test_a_way_back_that_fails_again(account: Account, code: Any, name: str) -> None:
    """The error names the resource; nothing else is tried, and the run after that fixes it."""
    account.deployment(name, code, memory_mb=512).apply()
    account.faults.fail_resource("Function", count=3)
    with pytest.raises(StackFailedError):
        account.deployment(name, code, memory_mb=1024).apply()
    with pytest.raises(StackFailedError, match=r"could not repair .* Function .*scripted failure"):
        account.deployment(name, code, memory_mb=1024).apply()
    assert account.deployment(name, code, memory_mb=1024).apply().has_changed


def test_a_first_run_whose_remains_stayed(account: Account, code: Any, name: str) -> None:
    """ROLLBACK_FAILED: the plan says that the remains go first, and so they do."""
    account.faults.fail_resource("BucketPolicy")
    account.faults.fail_resource("Bucket", deleting=True)
    with pytest.raises(StackFailedError, match="ROLLBACK_FAILED"):
        account.deployment(name, code).apply()
    plan = account.deployment(name, code).plan()
    assert plan.is_new and "ROLLBACK_FAILED" in plan.note
    assert account.deployment(name, code).apply().has_changed
    assert len([each for each in account.inventory()["buckets"] if each.startswith(name)]) == 1


def test_remains_that_cannot_be_deleted(account: Account, code: Any, name: str) -> None:
    """ROLLBACK_FAILED whose remains stay ends as DELETE_FAILED: deploy then says that destroy must come first."""
    account.faults.fail_resource("BucketPolicy")
    account.faults.fail_resource("Bucket", count=2, deleting=True)
    with pytest.raises(StackFailedError):
        account.deployment(name, code).apply()
    with pytest.raises(StackFailedError, match="delete the remains of"):
        account.deployment(name, code).apply()
    assert account.stack_status(name) == "DELETE_FAILED"
    with pytest.raises(StackFailedError) as raised:
        account.deployment(name, code).apply()
    assert "lambdamagic destroy" in str(raised.value.hint)
    Demolition(account.access, name).run(empty_bucket=True)
    assert account.deployment(name, code).apply().has_changed


def test_a_stack_that_was_only_ever_planned(account: Account, code: Any, name: str) -> None:
    """REVIEW_IN_PROGRESS, as an unexecuted change set leaves it: it is deleted, and the stack made."""
    account.ask(
        "cloudformation",
        "create_change_set",
        StackName=name,
        ChangeSetName="never",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::S3::Bucket"}}}',
        Tags=[{"Key": "lambdamagic", "Value": "stack"}],
    )
    assert account.stack_status(name) == "REVIEW_IN_PROGRESS"
    assert "REVIEW_IN_PROGRESS" in account.deployment(name, code).plan().note
    assert account.deployment(name, code).apply().has_changed
