"""The control plane as boto3's users see it: states, versions, aliases, updates, limits."""

from __future__ import annotations

import io
import socket
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from lambdamagic.deploy.checks import check_environment
from lambdamagic.errors import ConfigError
from lambdamagic.pythons import python_here
from tests.local.conftest import ECHO, REPORT, package


def test_a_new_function_is_pending_and_then_active(account):
    """Create answers Pending; the waiters of boto3 find it Active."""
    created = account.functions.create_function(
        FunctionName="stateful",
        Role=account.role_arn(),
        Runtime="python3.11",
        Handler="app.handler",
        Code={"ZipFile": package({"app.py": ECHO})},
    )
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    account.functions.get_waiter("function_active_v2").wait(FunctionName="stateful")
    found = account.functions.get_function(FunctionName="stateful")["Configuration"]
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")


def test_an_update_of_the_code_takes_effect_at_the_next_invocation(account):
    """UpdateFunctionCode retires environments with the old code."""
    name = account.deploy("def handler(e, c):\n    return 'old'\n")
    assert account.invoke(name)["Payload"] == "old"
    content = package({"app.py": "def handler(e, c):\n    return 'new'\n"})
    updated = account.functions.update_function_code(FunctionName=name, ZipFile=content)
    assert updated["LastUpdateStatus"] == "InProgress"
    account.functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert account.invoke(name)["Payload"] == "new"


def test_an_update_of_the_configuration_takes_effect(account):
    """UpdateFunctionConfiguration retires environments with the old variables."""
    name = account.deploy("import os\ndef handler(e, c):\n    return os.environ.get('MODE')\n")
    assert account.invoke(name)["Payload"] is None
    account.functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"MODE": "1"}})
    assert account.invoke(name)["Payload"] == "1"


def test_a_deleted_functions_environments_die(account, mailbox):
    """DeleteFunction kills them, and Invoke is a 404."""
    name = account.deploy(
        "import socket\ndef handler(e, c):\n    global s\n    s = socket.create_connection(('127.0.0.1', e))\n"
    )
    account.invoke(name, mailbox.port)
    connection, _ = mailbox._listener.accept()
    account.functions.delete_function(FunctionName=name)
    with connection:
        connection.settimeout(60)
        assert connection.recv(1) == b""
    with pytest.raises(account.functions.exceptions.ResourceNotFoundException):
        account.invoke(name)


def test_versions_and_aliases_are_qualifiers(account):
    """A published version keeps its code; an alias points at one."""
    name = account.deploy("def handler(e, c):\n    return c.function_version\n")
    version = account.functions.publish_version(FunctionName=name)["Version"]
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    content = package({"app.py": "def handler(e, c):\n    return 'changed'\n"})
    account.functions.update_function_code(FunctionName=name, ZipFile=content)
    assert account.invoke(name, Qualifier=version)["Payload"] == version
    response = account.invoke(name, Qualifier="live")
    assert (response["Payload"], response["ExecutedVersion"]) == (version, version)
    assert account.invoke(name, Qualifier="$LATEST")["Payload"] == "changed"
    assert account.invoke(f"{name}:live")["Payload"] == version


def test_a_running_invocation_outlives_its_alias(account, mailbox):
    """The alias was the only name that the function was known by here."""
    code = f"""{REPORT}
def handler(event, context):
    report(event, "runs")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        report(event, listener.getsockname()[1])
        listener.accept()[0].close()
    return "done"
"""
    name = account.deploy(code)
    version = account.functions.publish_version(FunctionName=name)["Version"]
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.invoke, f"{name}:live", mailbox.port)
        assert mailbox.receive() == "runs"
        port = mailbox.receive()
        account.functions.delete_alias(FunctionName=name, Name="live")
        socket.create_connection(("127.0.0.1", port)).close()
        assert answer.result(60)["Payload"] == "done"


@pytest.mark.parametrize(
    ("option", "value", "bound"),
    [
        ("MemorySize", 100, "greater than or equal to 128"),
        ("MemorySize", 20000, "less than or equal to 10240"),
        ("Timeout", 0, "greater than or equal to 1"),
        ("Timeout", 1801, "less than or equal to 1800"),
    ],
)
def test_values_out_of_range_are_refused(account, option, value, bound):
    """ValidationException in AWS's words, for create and for update."""
    functions = account.client("lambda", parameter_validation=False)
    with pytest.raises(ClientError) as caught:
        functions.create_function(
            FunctionName="outside",
            Role=account.role_arn(),
            Runtime="python3.11",
            Handler="app.handler",
            Code={"ZipFile": package({"app.py": ECHO})},
            **{option: value},
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["Error"]["Message"] == (
        f"1 validation error detected: Value '{value}' at '{option[0].lower()}{option[1:]}' failed to satisfy "
        f"constraint: Member must have value {bound}"
    )
    name = account.deploy(ECHO)
    with pytest.raises(ClientError, match="ValidationException"):
        functions.update_function_configuration(FunctionName=name, **{option: value})
    functions.close()


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"AWS_REGION": "x", "FINE": "y", "LAMBDA_TASK_ROOT": "z"},
            "used in this request: AWS_REGION, LAMBDA_TASK_ROOT",
        ),
        ({f"V{number:03}": "x" * 30 for number in range(105)}, 'exceeded the 4KB limit. String measured: {"V000":"x'),
    ],
    ids=["reserved", "3,570 bytes in 105 variables"],
)
def test_environment_variables_are_measured_as_json(account, variables, says):
    """Names and values alone may be below 4 KB. What the embedded Lambda refuses, a deployment refuses before."""
    name = account.deploy(ECHO, Environment={"Variables": {"A1": "x" * (4096 - len('{"A1":""}'))}})
    with pytest.raises(ClientError) as caught:
        account.functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert says in caught.value.response["Error"]["Message"]
    with pytest.raises(ConfigError):
        check_environment(variables)


@pytest.mark.parametrize("key", ["aws:mine", "AWS:mine"])
def test_tags_of_aws_are_refused(account, key):
    """Their prefix is reserved, in a new function and in one that exists."""
    name = account.deploy(ECHO, Tags={"aws-like": "is fine"})
    functions = account.functions
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="aws: prefixed tag key names"):
        functions.tag_resource(Resource=arn, Tags={key: "1"})
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="aws: prefixed tag key names"):
        account.deploy(ECHO, Tags={key: "1"})
    assert functions.list_tags(Resource=arn)["Tags"] == {"aws-like": "is fine"}


def test_code_comes_from_s3_too(account):
    """A package in a bucket is deployed from there."""
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="code.zip", Body=package({"app.py": ECHO}))
    account.functions.create_function(
        FunctionName="from-s3",
        Role=account.role_arn(),
        Runtime="python3.11",
        Handler="app.handler",
        Code={"S3Bucket": bucket, "S3Key": "code.zip"},
    )
    assert account.invoke("from-s3", 5)["Payload"] == 5


def test_cloudformation_makes_functions_and_roles(account):
    """A stack with a role and a function can be invoked when it is created."""
    template = """
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties:
          AssumeRolePolicyDocument: {}
      Function:
        Type: AWS::Lambda::Function
        Properties:
          FunctionName: stacked
          Runtime: python3.11
          Handler: index.handler
          Role: !GetAtt Role.Arn
          Code:
            ZipFile: |
              def handler(event, context):
                  return "stacked"
    """
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="s", TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
    assert account.invoke("stacked")["Payload"] == "stacked"


def test_the_other_services_answer(account):
    """STS, ECR, SQS and IAM are there for deploy."""
    assert account.client("sts").get_caller_identity()["Account"] == account.connection.account_id
    account.client("ecr").create_repository(repositoryName="images")
    url = account.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    account.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    assert account.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"


def test_an_unknown_service_is_reported(account):
    """A clear error instead of an odd one."""
    with pytest.raises(ClientError, match="has no service"):
        account.client("dynamodb").list_tables()


def _encrypted(content):
    changed = bytearray(content)
    changed[6] |= 1  # the flag of the local header, and of the directory's entry
    changed[content.find(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_encrypted(package({"app.py": "x = 1"})), "encrypted"),
        (package({"app.py": "x = 1", "a": "file", "a/b": "below it"}), "a file and a folder of one name"),
    ],
    ids=["encrypted", "file and folder"],
)
def test_a_package_that_cannot_be_unpacked_says_why(account, content, reason):
    """Invoke answers what is wrong with it, also the second time."""
    options = {"Runtime": f"python{python_here()}", "Handler": "app.handler", "Role": account.role_arn()}
    name = "packed-" + reason.replace(" ", "-")
    account.functions.create_function(FunctionName=name, Code={"ZipFile": content}, **options)
    for _ in range(2):
        with pytest.raises(account.functions.exceptions.ServiceException, match=reason):
            account.invoke(name)


def test_a_package_stays_in_its_folder(account):
    """Names that point upwards or are absolute unpack below the task root; a link that leads out of it is refused."""
    options = {"Runtime": f"python{python_here()}", "Handler": "app.handler", "Role": account.role_arn()}
    for name, leads_to in (("kept", "app.py"), ("slip", "/")):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("app.py", "import os\ndef handler(event, context): return sorted(os.listdir('.'))")
            archive.writestr("../../up", "x")
            archive.writestr("/absolute", "x")
            link = zipfile.ZipInfo("link")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, leads_to)
        account.functions.create_function(FunctionName=name, Code={"ZipFile": content.getvalue()}, **options)
    assert account.invoke("kept")["Payload"] == ["absolute", "app.py", "link", "up"]
    with pytest.raises(ClientError, match="link leads out of it, to /"):
        account.invoke("slip")
