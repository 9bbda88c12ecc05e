"""What policies say, by "IAM JSON policy elements" and "Policy evaluation logic" of the IAM user guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdamagic.local.rights.policy_language import Decision, decide

OBJECT = "arn:aws:s3:::b/dir/k.txt"


def say(*statements: dict[str, Any], action: str = "s3:GetObject", resource: str = OBJECT, **context: str) -> Decision:
    named = {key.replace("__", ":"): value for key, value in context.items()}
    document = json.dumps({"Version": "2012-10-17", "Statement": [*statements]})
    return decide([document], action, resource, named)


def allow(action: Any = "s3:GetObject", resource: Any = "arn:aws:s3:::b/*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("statement", "is_allowed"),
    [
        (allow(), True),
        (allow(["s3:PutObject", "S3:getobject"]), True),
        (allow("s3:Get*"), True),
        (allow("s3:GetObjec?"), True),
        (allow("s3:GetObject?"), False),
        (allow("s3:List*"), False),
        (allow(resource="arn:aws:s3:::b/dir/*.txt"), True),
        (allow(resource="arn:aws:s3:::b/dir/kxtxt"), False),
        (allow(resource="arn:aws:s3:::b/dir/k?txt"), True),
        (allow(resource="arn:aws:s3:::B/*"), False),
        (allow(resource="arn:aws:s3:::b"), False),
        ({"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::other/*"}, True),
    ],
)
def test_actions_and_resources(statement: dict[str, Any], is_allowed: bool) -> None:
    """Wildcards are `*` and `?` and nothing else; actions know no case, resources do."""
    assert (say(statement) is Decision.ALLOWED) is is_allowed


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "is_met"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["x", "a"], "a", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEquals", "a", "a", False),
        ("StringNotEquals", "a", None, True),
        ("StringLike", "jobs/*", "jobs/1", True),
        ("StringLike", "jobs/*", "other", False),
        ("StringLike", "jobs/*", None, False),
        ("StringLikeIfExists", "jobs/*", None, True),
        ("StringLikeIfExists", "jobs/*", "other", False),
        ("StringNotLike", "jobs/*", "jobs/1", False),
        ("ForAnyValue:StringEquals", ["a", "b"], "b", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("Null", "true", None, True),
        ("Null", "true", "a", False),
        ("NumericLessThanEquals", "10", "9", True),
        ("DateLessThan", "2030-01-01T00:00:00Z", "x", False),
    ],
)
def test_conditions(operator: str, wanted: Any, value: str | None, is_met: bool) -> None:
    """A condition that is not met, or not known, makes the statement silent; other statements still apply."""
    statement = allow(Condition={operator: {"S3:Prefix": wanted}})
    context = {} if value is None else {"s3__prefix": value}
    assert (say(statement, **context) is Decision.ALLOWED) is is_met
    assert say(statement, allow(), **context) is Decision.ALLOWED


def test_a_denial_wins() -> None:
    """Whatever else allows it, and however many policies there are."""
    denial = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    assert say(allow(), denial) is Decision.DENIED
    assert say(denial, allow()) is Decision.DENIED
    assert say(allow("s3:PutObject")) is Decision.SILENT


def test_variables() -> None:
    """A variable stands for its value and is no pattern; without a value it matches nothing, or its default."""
    mine = allow(resource="arn:aws:s3:::b/${aws:username}/*")
    assert say(mine, aws__username="dir") is Decision.ALLOWED
    assert say(mine, aws__username="*") is Decision.SILENT
    assert say(mine) is Decision.SILENT
    assert say(allow(resource="arn:aws:s3:::b/${aws:username, 'dir'}/*")) is Decision.ALLOWED
