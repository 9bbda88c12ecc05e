"""The control plane refuses what Lambda's API model refuses, before anything is stored."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ECHO, Account, package


@pytest.fixture(scope="module")
def unchecked(account: Account) -> Any:
    """A client that sends what boto3 itself would refuse."""
    client = account.client("lambda", parameter_validation=False)
    yield client
    client.close()


def _refusal(call: Any, **values: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**values)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def _zip_of(size: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", bytes(size))
    return content.getvalue()


_BAD_NAME = "satisfy regular expression pattern: "
_NO_KEY = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"Timeout": "20"}, "SerializationException", "STRING_VALUE can not be converted to an Integer"),
        ({"Timeout": True}, "SerializationException", "TRUE_VALUE can not be converted to an Integer"),
        ({"MemorySize": 256.5}, "SerializationException", "DECIMAL_VALUE can not be converted to an Integer"),
        ({"FunctionName": 5}, "SerializationException", "NUMBER_VALUE can not be converted to a String"),
        ({"Description": ["x"]}, "SerializationException", "Start of list found where not expected."),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException", "'511' at 'ephemeralStorage.size'"),
        ({"EphemeralStorage": {"Size": 10_241}}, "ValidationException", "less than or equal to 10240"),
        ({"EphemeralStorage": {}}, "ValidationException", "Value null at 'ephemeralStorage.size'"),
        ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException", _NO_KEY),
        ({"Environment": {"Variables": {"A": "x"}}}, "ValidationException", _NO_KEY),
        ({"Environment": {"Variables": {"AB": 1}}}, "SerializationException", "NUMBER_VALUE"),
        ({"FunctionName": "a b"}, "ValidationException", _BAD_NAME),
        ({"FunctionName": "ab\n"}, "ValidationException", _BAD_NAME),
        ({"FunctionName": "abc:1"}, "ValidationException", _BAD_NAME),
        ({"FunctionName": ""}, "ValidationException", "2 validation errors detected: Value '' at 'functionName'"),
        ({"FunctionName": "a" * 65}, "ValidationException", "have length less than or equal to 64"),
        ({"FunctionName": "arn:aws:lambda:us-east-1:999999999999:function:x"}, "AccessDeniedException", "authorized"),
        ({"Handler": "app handler"}, "ValidationException", "'app handler' at 'handler'"),
        ({"Handler": "a" * 129}, "ValidationException", "less than or equal to 128"),
        ({"Handler": None}, "InvalidParameterValueException", "Runtime and Handler are mandatory"),
        ({"Description": "a" * 257}, "ValidationException", "less than or equal to 256"),
        ({"Runtime": "python9.9"}, "InvalidParameterValueException", "Value python9.9 at 'runtime'"),
        ({"Runtime": "python2.7"}, "InvalidParameterValueException", "python2.7 is no longer supported"),
        ({"Layers": [f"arn:aws:lambda:us-east-1:123456789012:layer:x:{n}" for n in range(6)]},
         "InvalidParameterValueException", "Cannot reference more than 5 layers."),
        ({"Layers": ["x"]}, "ValidationException", "at 'layers' failed to satisfy constraint: Member must satisfy"),
        ({"PackageType": "Tar"}, "ValidationException", "satisfy enum value set: [Zip, Image]"),
        ({"SnapStart": {"ApplyOn": "Always"}}, "ValidationException", "at 'snapStart.applyOn'"),
        ({"TracingConfig": {"Mode": {}}}, "SerializationException", "Start of structure or map found"),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source for function code."),
        ({"Code": {"ZipFile": b""}}, "InvalidParameterValueException", "Uploaded file must be a non-empty zip"),
        ({"Code": {"ZipFile": b"none"}}, "InvalidParameterValueException", "Could not unzip uploaded file."),
        ({"Code": {"ZipFile": b"x", "S3Bucket": "buck"}}, "InvalidParameterValueException", "Please do not provide"),
        ({"Code": {"ZipFile": _zip_of(262_144_001)}}, "InvalidParameterValueException", "smaller than 262144000 bytes"),
        ({"Code": {"ZipFile": bytes(53_000_000)}}, "RequestEntityTooLargeException", "smaller than 70167211 bytes"),
    ],
)  # fmt: skip
def test_a_function_that_aws_refuses_is_refused(account, unchecked, values, code, words):
    """Types, ranges, lengths, patterns and choices, with AWS's codes and words."""
    usual = {
        "FunctionName": "refused",
        "Role": account.role_arn(),
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Code": {"ZipFile": package({"app.py": ECHO})},
    }
    found = _refusal(unchecked.create_function, **{**usual, **values})
    assert found[0] == code, found
    assert words in found[1]
    assert "refused" not in {each["FunctionName"] for each in unchecked.list_functions()["Functions"]}


@pytest.mark.parametrize(
    ("operation", "values", "code"),
    [
        ("put_function_concurrency", {"ReservedConcurrentExecutions": "many"}, "SerializationException"),
        ("put_function_concurrency", {"ReservedConcurrentExecutions": -1}, "ValidationException"),
        ("create_alias", {"Name": "12", "FunctionVersion": "$LATEST"}, "ValidationException"),
        ("create_alias", {"Name": "ab", "FunctionVersion": "77"}, "ResourceNotFoundException"),
        ("put_function_event_invoke_config", {"MaximumRetryAttempts": 3}, "ValidationException"),
        ("put_function_event_invoke_config", {"MaximumEventAgeInSeconds": 5}, "ValidationException"),
        ("update_function_configuration", {"EphemeralStorage": {"Size": 1}}, "ValidationException"),
        ("update_function_configuration", {"Environment": {"Variables": {"AWS_REGION": "x"}}},
         "InvalidParameterValueException"),
        ("update_function_code", {"ZipFile": b"none"}, "InvalidParameterValueException"),
        ("delete_function", {"Qualifier": "$LATEST"}, "InvalidParameterValueException"),
        ("get_function", {"Qualifier": "a b"}, "ValidationException"),
    ],
)  # fmt: skip
def test_a_change_that_aws_refuses_is_refused(account, unchecked, operation, values, code):
    """Each is refused, and the function is what it was; a reservation of `many` once made the instance useless."""
    name = account.deploy(ECHO)
    before = account.functions.get_function_configuration(FunctionName=name)
    assert _refusal(getattr(unchecked, operation), FunctionName=name, **values)[0] == code
    after = account.functions.get_function_configuration(FunctionName=name)
    assert {**before, "ResponseMetadata": {}} == {**after, "ResponseMetadata": {}}
    assert account.invoke(name, 1)["Payload"] == 1


def test_a_function_may_be_created_under_its_arn(account):
    """An ARN of this account and region means its name."""
    arn = f"arn:aws:lambda:us-east-1:{account.connection.account_id}:function:by-arn"
    code = {"ZipFile": package({"app.py": ECHO})}
    role = account.role_arn()
    made = account.functions.create_function(
        FunctionName=arn, Role=role, Runtime="python3.11", Handler="app.handler", Code=code
    )
    assert (made["FunctionName"], made["FunctionArn"]) == ("by-arn", arn)


def test_a_template_with_words_for_numbers_spoils_no_other_function(account):
    """The function of such a stack is refused; other functions can be changed and called."""
    name = account.deploy(ECHO)
    template = f"""{{"Resources": {{"F": {{"Type": "AWS::Lambda::Function", "Properties": {{
        "FunctionName": "worded", "Role": "{account.role_arn()}", "Runtime": "python3.11", "Handler": "index.handler",
        "Timeout": "soon", "MemorySize": "much", "ReservedConcurrentExecutions": "many",
        "Code": {{"ZipFile": "def handler(e, c): return e"}}}}}}}}}}"""
    stacks = account.client("cloudformation")
    try:
        stacks.create_stack(StackName="worded", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationError"
    assert _refusal(account.invoke, name="worded")[0] in ("InvalidParameterValueException", "ResourceNotFoundException")
    account.functions.update_function_configuration(FunctionName=name, Timeout=21)
    assert account.invoke(name, 1)["Payload"] == 1
    stacks.delete_stack(StackName="worded")


def test_a_number_in_a_path_is_read_as_one(account: Account, unchecked: Any) -> None:
    """The version of a layer is part of the path."""
    made = account.client("lambda").publish_layer_version(LayerName="numbered", Content={"ZipFile": _zip_of(10)})
    assert made["Version"] == 1
    account.client("lambda").delete_layer_version(LayerName="numbered", VersionNumber=1)
    code, words = _refusal(unchecked.delete_layer_version, LayerName="numbered", VersionNumber="one")
    assert (code, words) == ("SerializationException", "STRING_VALUE can not be converted to a Long")


def test_weights_of_an_alias_are_numbers(account: Account, unchecked: Any) -> None:
    """From 0 to 1, whole or not; the server once failed at each of them."""
    name = account.deploy(ECHO)
    for description in ("first", "second"):
        account.functions.update_function_configuration(FunctionName=name, Description=description)
        account.functions.publish_version(FunctionName=name)
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for weight in (0.25, 1):
        routing = {"AdditionalVersionWeights": {"2": weight}}
        account.functions.update_alias(FunctionName=name, Name="live", RoutingConfig=routing)
        found = account.functions.get_alias(FunctionName=name, Name="live")["RoutingConfig"]
        assert found == routing
    for weight, code in (
        (1.5, "ValidationException"),
        (-0.1, "ValidationException"),
        (float("nan"), "SerializationException"),
        (True, "SerializationException"),
    ):
        wrong = {"AdditionalVersionWeights": {"2": weight}}
        assert _refusal(unchecked.update_alias, FunctionName=name, Name="live", RoutingConfig=wrong)[0] == code


def test_a_name_is_given_once(account: Account, unchecked: Any) -> None:
    """A statement's id and an alias, with AWS's code; the first ones stay."""
    name = account.deploy(ECHO)
    statement = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "123456789012"}
    account.functions.add_permission(FunctionName=name, **statement)
    code, words = _refusal(unchecked.add_permission, FunctionName=name, **statement)
    assert (code, "(s) provided already exists" in words) == ("ResourceConflictException", True)
    account.functions.publish_version(FunctionName=name)
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    code, words = _refusal(unchecked.create_alias, FunctionName=name, Name="live", FunctionVersion="$LATEST")
    assert (code, "Alias already exists" in words) == ("ResourceConflictException", True)
    assert account.functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "1"
    assert _refusal(unchecked.add_permission, FunctionName="nowhere", **statement)[0] == "ResourceNotFoundException"


def test_a_change_that_is_only_tried_changes_nothing(account: Account) -> None:
    """Neither the code nor the revision, and no version is published."""
    name = account.deploy(ECHO)
    before = account.functions.get_function_configuration(FunctionName=name)
    other = package({"app.py": "x = 1"})
    account.functions.update_function_code(FunctionName=name, ZipFile=other, DryRun=True, Publish=True)
    after = account.functions.get_function_configuration(FunctionName=name)
    assert {**before, "ResponseMetadata": {}} == {**after, "ResponseMetadata": {}}
    assert len(account.functions.list_versions_by_function(FunctionName=name)["Versions"]) == 1
    account.functions.update_function_configuration(FunctionName=name, Description="other")
    later = account.functions.get_function_configuration(FunctionName=name)
    assert later["LastModified"] > before["LastModified"]
