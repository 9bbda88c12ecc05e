"""A change that names a revision is refused if the function, alias or policy has been changed since."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ECHO, Account, package

_OLD = "00000000-0000-4000-8000-000000000000"
_STATEMENT = {"Action": "lambda:InvokeFunction", "Principal": "123456789012"}


@pytest.fixture(scope="module")
def function(account: Account) -> str:
    """A function with a version, the alias `live` and a policy of two statements."""
    name = account.deploy(ECHO)
    account.functions.publish_version(FunctionName=name)
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for sid in ("first", "second"):
        account.functions.add_permission(FunctionName=name, StatementId=sid, **_STATEMENT)
    return name


def _of_function(functions: Any, name: str) -> str:
    return str(functions.get_function_configuration(FunctionName=name)["RevisionId"])


def _of_alias(functions: Any, name: str) -> str:
    return str(functions.get_alias(FunctionName=name, Name="live")["RevisionId"])


def _of_policy(functions: Any, name: str) -> str:
    return str(functions.get_policy(FunctionName=name)["RevisionId"])


@pytest.mark.parametrize(
    ("operation", "values", "latest"),
    [
        ("update_function_code", {"ZipFile": package({"app.py": ECHO + "\n"})}, _of_function),
        ("update_function_configuration", {"Description": "other"}, _of_function),
        ("update_alias", {"Name": "live", "Description": "other"}, _of_alias),
        ("add_permission", {"StatementId": "third", **_STATEMENT}, _of_policy),
        ("remove_permission", {"StatementId": "second"}, _of_policy),
    ],
)
def test_an_old_revision_is_refused(
    account: Account, function: str, operation: str, values: dict[str, Any], latest: Callable[[Any, str], str]
) -> None:
    """With AWS's code, and nothing is changed; the latest is taken, and is old from then on."""
    functions = account.functions
    change = getattr(functions, operation)
    before = latest(functions, function)
    with pytest.raises(functions.exceptions.PreconditionFailedException, match="does not match the latest Revision Id"):
        change(FunctionName=function, RevisionId=_OLD, **values)
    assert latest(functions, function) == before
    change(FunctionName=function, RevisionId=before, **values)
    assert latest(functions, function) != before


def test_a_version_is_published_of_the_latest_revision_only(account: Account) -> None:
    """The version has a separate revision."""
    name = account.deploy(ECHO)
    with pytest.raises(account.functions.exceptions.PreconditionFailedException):
        account.functions.publish_version(FunctionName=name, RevisionId=_OLD)
    latest = _of_function(account.functions, name)
    version = account.functions.publish_version(FunctionName=name, RevisionId=latest)
    assert version["RevisionId"] != latest == _of_function(account.functions, name)
    found = account.functions.get_function(FunctionName=f"{name}:1")["Configuration"]
    assert found["RevisionId"] == version["RevisionId"]


def test_of_several_changes_of_one_revision_one_is_made(account: Account) -> None:
    """They come at the same moment."""
    name = account.deploy(ECHO)
    latest = _of_function(account.functions, name)

    def change(description: str) -> bool:
        values = {"FunctionName": name, "Description": description, "RevisionId": latest}
        try:
            account.functions.update_function_configuration(**values)
        except account.functions.exceptions.PreconditionFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(change, "abcdefgh")) == 1


def test_what_is_missing_is_not_an_old_revision(account: Account) -> None:
    """It is reported as missing."""
    with pytest.raises(ClientError, match="ResourceNotFound"):
        account.functions.update_function_configuration(FunctionName="nowhere", RevisionId=_OLD)
    name = account.deploy(ECHO)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        account.functions.update_alias(FunctionName=name, Name="none", RevisionId=_OLD)
