"""DeleteFunction with a qualifier deletes a version that nothing names, and nothing else."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ECHO, Account, package


def _versions(account: Account, name: str) -> list[str]:
    found = account.functions.list_versions_by_function(FunctionName=name)["Versions"]
    return [each["Version"] for each in found]


@pytest.fixture(scope="module")
def function(account: Account) -> str:
    """A function with three versions: `live` names the first, and sends a share to the second."""
    name = account.deploy(ECHO)
    for count in range(3):
        code = package({"app.py": f"{ECHO}\n# {count}"})
        account.functions.update_function_code(FunctionName=name, ZipFile=code, Publish=True)
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    return name


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("is_within_the_name", [True, False])
def test_a_version_that_an_alias_names_stays(
    account: Account, function: str, version: str, is_within_the_name: bool
) -> None:
    """AWS names the aliases; one that gets a share of an alias's requests counts, too."""
    values = {"FunctionName": f"{function}:{version}"} if is_within_the_name else {"FunctionName": function}
    if not is_within_the_name:
        values["Qualifier"] = version
    refusal = account.functions.exceptions.ResourceConflictException
    with pytest.raises(refusal, match=r"because the following aliases reference it: \[live\]"):
        account.functions.delete_function(**values)
    assert version in _versions(account, function)


@pytest.mark.parametrize(("qualifier", "words"), [("$LATEST", "without deleting the function"), ("live", "aliases")])
@pytest.mark.parametrize("is_within_the_name", [True, False])
def test_neither_the_latest_nor_an_alias_is_deleted(
    account: Account, function: str, qualifier: str, words: str, is_within_the_name: bool
) -> None:
    """Both are refused, in the name or as a parameter; moto deleted an alias's version."""
    values = {"FunctionName": f"{function}:{qualifier}"} if is_within_the_name else {"FunctionName": function}
    if not is_within_the_name:
        values["Qualifier"] = qualifier
    before = _versions(account, function)
    with pytest.raises(account.functions.exceptions.InvalidParameterValueException, match=words):
        account.functions.delete_function(**values)
    assert _versions(account, function) == before


def test_only_the_named_version_is_deleted(account: Account, function: str) -> None:
    """A version that is not there is no error, since AWS reports none."""
    before = _versions(account, function)
    for _ in range(2):
        account.functions.delete_function(FunctionName=function, Qualifier="3")
        assert _versions(account, function) == [each for each in before if each != "3"]
    with pytest.raises(account.functions.exceptions.ResourceNotFoundException):
        account.functions.get_function(FunctionName=function, Qualifier="3")
    assert account.invoke(function, 7)["Payload"] == 7


def test_a_version_of_no_function_is_not_found(account: Account) -> None:
    """The function is missing, not its version."""
    with pytest.raises(account.functions.exceptions.ResourceNotFoundException):
        account.functions.delete_function(FunctionName="nowhere", Qualifier="3")


def test_another_accounts_function_is_not_deleted(account: Account) -> None:
    """The refusal names the action."""
    arn = "arn:aws:lambda:us-east-1:999999999999:function:theirs:1"
    with pytest.raises(ClientError, match=r"not authorized to perform: lambda:DeleteFunction on resource: .*:theirs"):
        account.functions.delete_function(FunctionName=arn)
