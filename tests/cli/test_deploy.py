"""`lambdamagic deploy`, `destroy`, `status`, `logs`, `policy` and the commands of single functions."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.cli.calling import call, run
from tests.deploy.accounts import Account

_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/lambdamagic:1"


@pytest.fixture
def deployed(account: Account) -> Account:
    """A deployment `lambdamagic`, and the settings that it wrote; made once for all tests that do not end it."""
    if "lambdamagic" not in account.inventory()["functions"]:
        done = call("deploy", "--json")
        assert done.status == 0, done.err
    return account


def test_deploy_use_destroy(account: Account, home: Path) -> None:
    """What a person sees: plan, deployment, no change, question, deletion; settings written and taken out."""
    path = home / "lambdamagic" / "config.toml"
    path.parent.mkdir()
    mine = "# mine\nmemory_mb = 512  # enough\n"
    path.write_text(mine)
    plan = call("deploy", "--plan")
    assert "+ Function" in plan.out
    region = account.connection.region
    assert f"account    123456789012, {region}" in plan.out and "512 MB, 300 s" in plan.out
    assert "storage only" in plan.out and "lambdamagic destroy lambdamagic" in plan.out
    shown = call("deploy", "--plan", "--json").document
    assert (shown["is_new"], shown["account"], shown["region"]) == (True, "123456789012", region)
    assert shown["function"]["memory_mb"] == 512 and shown["packages"] == [] and "storage only" in shown["at_rest"]
    assert account.inventory()["functions"] == []
    done = call("deploy")
    assert done.status == 0, done.err
    assert "✓ Function" in done.err
    assert f"Creating lambdamagic in {region}: Python" in done.err
    assert "Idle cost: storage" in done.out
    policy = call("policy", "user").document
    assert done.out.splitlines()[-4:] == [
        "Next steps:",
        "  in a notebook: %load_ext lambdamagic, then run a %%lambda cell",
        "  lambdamagic doctor checks the deployment, lambdamagic demo runs 16 tasks",
        "  other users need the policy that `lambdamagic policy user` prints",
    ]
    assert path.read_text().startswith(mine), "the rest of the file is left alone"
    settings = tomllib.loads(path.read_text())
    assert settings["function"] == "lambdamagic"
    assert settings["bucket"] in account.inventory()["buckets"]
    assert settings["region"] == account.connection.region
    assert account.ask("lambda", "get_function_configuration", FunctionName="lambdamagic")["MemorySize"] == 512

    again = call("deploy", "--no-config", "--json").document
    assert (again["changed"], again["settings"], again["user_policy"]) == (False, None, policy)
    assert "the policy that `lambdamagic policy user` prints" in call("deploy", "--no-config").out
    changed = call("deploy", "--memory", "1024", "--plan", "--json").document
    assert changed["changes"][0]["properties"] == [{"path": "MemorySize", "before": "512", "after": "1024"}]

    assert "Updating lambdamagic in" in (larger := call("deploy", "--memory", "768")).err, larger.err
    assert "modifies Function" in larger.err

    assert call("destroy", answer="n\n").status == 9
    assert call("destroy").status == 9, "nobody there to answer is no consent"
    assert account.inventory()["functions"] == ["lambdamagic"]
    gone = call("destroy", answer="y\n")
    assert gone.status == 0
    assert account.inventory()["functions"] == account.inventory()["buckets"] == []
    assert path.read_text().strip().startswith(mine.strip())
    assert "function" not in tomllib.loads(path.read_text())
    assert "nothing to delete" in call("destroy", "--yes").out
    path.unlink()


def test_snapstart_is_deployed_and_taken_back(account: Account, home: Path) -> None:
    """The version's alias is what the settings name; the plan says what idle costs; a change replaces the version."""
    plan = call("deploy", "--snapstart", "--python", "3.12", "--plan")
    assert "+ LiveVersion" in plan.out and "SnapStart's snapshot, 7.80 USD a month" in " ".join(plan.out.split())
    done = call("deploy", "--snapstart", "--python", "3.12")
    assert done.status == 0, done.err
    assert "SnapStart's snapshot costs 7.80 USD per month" in done.out
    written = home / "lambdamagic" / "config.toml"
    assert tomllib.loads(written.read_text())["function"] == "lambdamagic:live"
    live = {"FunctionName": "lambdamagic:live"}
    assert account.ask("lambda", "get_function_configuration", **live)["Version"] == "1"
    assert account.ask("lambda", "get_function_event_invoke_config", **live)["MaximumRetryAttempts"] == 0
    allowed = json.dumps(call("policy", "user").document)
    assert ':function:lambdamagic:live"' in allowed
    assert call("status", "--json").document["name"] == "lambdamagic"
    assert call("logs").status == 0
    again = call("deploy", "--python", "3.12", "--json").document
    assert not again["changed"] and json.dumps(again["user_policy"]) == allowed

    larger = call("deploy", "--python", "3.12", "--memory", "1024")
    assert larger.status == 0, larger.err
    assert "modifies LiveVersion" in larger.err
    assert account.ask("lambda", "get_function_configuration", **live)["MemorySize"] == 1024
    versions = account.ask("lambda", "list_versions_by_function", FunctionName="lambdamagic")["Versions"]
    assert [each["Version"] for each in versions] == ["$LATEST", "2"]

    plain = call("deploy", "--python", "3.12", "--no-snapstart")
    assert plain.status == 0, plain.err
    assert tomllib.loads(written.read_text())["function"] == "lambdamagic"
    assert account.ask("lambda", "list_aliases", FunctionName="lambdamagic")["Aliases"] == []
    assert call("deploy", "--python", "3.12", "--snapstart").status == 0
    assert call("destroy", "--yes").status == 0
    assert account.inventory()["functions"] == []
    assert "function" not in tomllib.loads(written.read_text())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--memory", "64"), "Use 128 or more"),
        (("--timeout", "0"), "Use 1 or more"),
        (("--ephemeral", "100"), "Use 512 or more"),
        (("--python", "3.8"), "no runtime for Python 3.8"),
        (("--layer", "numpy"), "arn:aws:lambda"),
        (("--env", "AWS_REGION=x"), "Lambda sets AWS_REGION itself"),
        (("--env", "LAMBDAMAGIC_HOLDS=x"), "reserved"),
        (("--memory", "64", "-r", "nowhere.txt"), "Use 128 or more"),
        (("-r", "nowhere.txt"), "no requirements file nowhere.txt"),
        (("--env", "BIG=" + "x" * 5000), "4,096"),
        (("Bad_Name",), "lower-case"),
        (("--image", "python:3.12"), "image push"),
        (("--log-days", "2"), "The nearest possible value is"),
        (("--subnet", "subnet-1"), "--security-group"),
        (("--subnet", "mine", "--security-group", "sg-1"), "subnet-0123456789abcdef0"),
        (("--subnet", "subnet-1", "--security-group", "mine"), "sg-0123456789abcdef0"),
        (("--kms-key", "alias/mine"), "arn:aws:kms"),
        (("--kms-key", "arn:aws:kms:us-east-1:123456789012:alias/mine"), "describe-key --key-id alias"),
        (("--permissions-boundary", "mine"), "arn:aws:iam"),
        (("--job-days", "0"), "in use"),
        (("--bucket", "NO"), "valid bucket name"),
        (("--snapstart", "--python", "3.11"), "Use Python 3.12 or newer"),
        (("--snapstart", "--python", "3.12", "--ephemeral", "1024"), "Leave out --ephemeral or --snapstart"),
        (("--snapstart", "--python", "3.12", "--image", _IMAGE), "Leave out --image or --snapstart"),
        (("--snapstart", "--python", "3.12", "--trigger"), "Leave out --trigger or --snapstart"),
        (("--snapstart", "--python", "3.12", "--invoker"), "Leave out --invoker or --snapstart"),
        (("--snapstart", "--python", "3.12", "--graphs"), "Leave out --graphs or --snapstart"),
    ],
)
def test_values_that_aws_would_refuse_are_refused_before(arguments: tuple[str, ...], said: str) -> None:
    """Is refused before AWS is asked (there is none here), with its fix, and status 4."""
    done = call("deploy", "--endpoint-url", "http://127.0.0.1:9", "--region", "eu-west-1", *arguments)
    assert done.status == 4, done.err
    assert said in done.err
    assert done.err.startswith("lambdamagic: "), "and before a package is put together"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("create", "x", "nowhere.py"), "no file or folder nowhere.py"),
        (("create", "x", "-r", "nowhere.txt"), "no requirements file nowhere.txt"),
        (("create", "x", "--env", "LAMBDAMAGIC_HOLDS=x"), "reserved"),
        (("update", "x", "nowhere.py"), "no file or folder nowhere.py"),
    ],
)
def test_mistakes_with_a_created_function(command: tuple[str, ...], said: str) -> None:
    """It is reported before AWS is called."""
    done = call(*command, "--endpoint-url", "http://127.0.0.1:9", "--region", "eu-west-1")
    assert (done.status, said in done.err) == (4, True), done.err


def test_a_requirement_that_is_none(account: Account) -> None:
    """Reported as an invalid value, with the tool's output; a setting may be in the environment."""
    done = call("deploy", "--plan", "--with", "num py=!3")
    assert done.status == 4, done.err
    assert "cannot read a requirement" in done.err and "num py=!3" in done.err
    assert call("template", "cloudformation", "--env", "LAMBDAMAGIC_MAX_COST_USD=1").status == 0


def test_no_region(tmp_path: Path) -> None:
    """A setting that is missing, with how to give it."""
    done = run(tmp_path, "list", environment={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    assert (done.status, "no AWS region is set" in done.err) == (4, True), done.err


@pytest.mark.parametrize(
    ("code", "status", "exit_status", "said"),
    [("AccessDenied", 403, 5, "lambdamagic policy deployer"), ("ExpiredToken", 403, 5, "expired")],
)
def test_refusals_of_aws_are_explained(account: Account, code: str, status: int, exit_status: int, said: str) -> None:
    """Ends with a separate status and one message; with --json as a document."""
    account.faults.refuse_api("cloudformation", code=code, status=status, count=None)
    done = call("deploy", "--json")
    assert done.status == exit_status
    assert said in json.dumps(json.loads(done.err[done.err.index("{") :]))
    assert done.out == ""


def test_without_credentials(tmp_path: Path) -> None:
    """As a process with nothing at all: one message."""
    done = run(tmp_path, "deploy", "--region", "eu-west-1", environment={"AWS_EC2_METADATA_DISABLED": "true"})
    assert done.status == 5
    assert "no AWS credentials" in done.err
    assert "Traceback" not in done.err


def test_a_created_function_is_updated_and_deleted(deployed: Account, tmp_path: Path) -> None:
    """Created with own modules, used, listed, updated where it differs, logged, deleted; the deployed one stays."""
    module = tmp_path / "mine.py"
    module.write_text("ANSWER = 41\n")
    made = call("create", "own", str(module), "--memory", "256", "--timeout", "30", "--env", "MODE=test")
    assert made.status == 0, made.err
    listed = call("list", "--json").document["functions"]
    assert [(each["name"], each["made_by"]) for each in listed] == [("lambdamagic", "deploy"), ("own", "create")]
    assert "own" in call("list").out

    ran = call("invoke", "own", "--code", "import mine, os; print(os.environ['MODE']); mine.ANSWER")
    assert (ran.status, ran.out) == (0, "test\n41\n")
    failed = call("invoke", "own", "--code", "1 / 0", "--json")
    assert failed.status == 8
    assert failed.error["kind"] == "ZeroDivisionError"
    before = call("cost", "--json").document
    raw = call("invoke", "own", "--payload", "{}", "--json")
    assert raw.status == 8
    after = call("cost", "--json").document  # it was no job, and is billed
    assert (after["jobs"], after["cost_usd"] > before["cost_usd"]) == (before["jobs"], True)
    assert "accepts lambdamagic's events" in raw.error["message"]
    assert "--code" in raw.error["hint"]

    assert call("update", "own").out == "own is up to date\n"
    assert call("update", "own", "--memory", "512", "--json").document["changed"] == ["configuration"]
    module.write_text("ANSWER = 42\n")
    assert call("update", "own", str(module), "--json").document["changed"] == ["code"]
    assert call("invoke", "own", "--code", "import mine; mine.ANSWER").out == "42\n"
    assert call("warm", "2", "--function", "own", "--json").document["warm"] == 2

    assert call("create", "own").status == 6
    assert call("status", "own", "--json").document["function"]["memory_mb"] == 512
    assert call("delete", "own", answer="no\n").status == 9
    part = call("delete", "lambdamagic", answer="")
    assert part.status == 6 and "Delete lambdamagic?" not in part.err
    assert "own" in call("delete", "own", "--yes", "--json").document["deleted"]
    assert [each["name"] for each in call("list", "--json").document["functions"]] == ["lambdamagic"]
    assert {layer.split("-")[0] for layer in deployed.inventory()["layers"]} == {"lambdamagic"}


def test_resources_of_others_are_not_changed(deployed: Account) -> None:
    """Another owner's function is sent no code; neither it nor a part of a deployment is changed or deleted."""
    from tests.local.conftest import package as zipped

    role = call("status", "--json").document["outputs"]["RoleArn"]
    deployed.ask(
        "lambda",
        "create_function",
        FunctionName="theirs",
        Runtime="python3.12",
        Role=role,
        Handler="a.b",
        Code={"ZipFile": zipped({"a.py": ""})},
    )
    for command in (("update", "theirs", "--memory", "512"), ("delete", "theirs", "--yes")):
        done = call(*command)
        assert done.status == 6
        assert "was not created by lambdamagic; nothing was changed" in done.err
    before = deployed.faults.stats()["requests"]["lambda"].get("Invoke", 0)
    for command in (("invoke", "theirs", "--code", "1"), ("warm", "1", "--function", "theirs")):
        done = call(*command)
        assert done.status == 6
        assert "its handler is a.b" in done.err and "nothing was sent" in done.err
    assert deployed.faults.stats()["requests"]["lambda"].get("Invoke", 0) == before
    for command in (("update", "lambdamagic", "--memory", "512"), ("delete", "lambdamagic", "--yes")):
        done = call(*command)
        assert done.status == 6
        assert "is part of the deployment lambdamagic" in done.err
    for command in ("update", "delete", "status"):
        assert call(command, "nobody").status == 3
    deployed.ask("lambda", "delete_function", FunctionName="theirs")


def test_create_needs_a_role(account: Account) -> None:
    """Without a deployment one must be named; a wrong one is reported."""
    done = call("create", "alone", "--stack", "no-such-deployment")
    assert done.status == 3
    assert "lambdamagic deploy" in done.err
    assert call("create", "alone", "--role", "me").status == 4
    assert call("create", "alone", "--package", "image").status == 2


def test_logs_by_job_and_task(deployed: Account) -> None:
    """Lines of any job are found by its id, and by task; other jobs' are left out."""
    from lambdamagic import LambdaExecutor
    from lambdamagic.events import InvocationFinished

    seen: list[InvocationFinished] = []
    with LambdaExecutor(max_workers=2) as executor:
        executor.add_listener(lambda event: seen.append(event) if isinstance(event, InvocationFinished) else None)
        said = "print('task number', {})"
        assert list(executor.map(exec, [said.format(n) for n in range(4)], chunksize=2)) == [None] * 4
        executor.submit(exec, "print('another job')").result()
    job = next(event.job_id for event in seen if len(event.tasks) == 2)
    everything = call("logs")
    assert "another job" in everything.out
    assert "REPORT RequestId" in everything.out
    of_job = call("logs", "--job", job)
    assert "task number 3" in of_job.out
    assert "another job" not in of_job.out
    of_task = call("logs", "--job", job, "--task", "0", "--json")
    lines = [json.loads(line) for line in of_task.out.splitlines()]
    texts = [line["text"] for line in lines]
    assert "task number 1" in texts, "it was in the same invocation"
    assert "task number 2" not in texts
    assert {line["job"] for line in lines} == {job}
    unknown = call("logs", "--job", "nosuchjob")
    assert (unknown.status, unknown.out) == (3, "")
    assert "no job 'nosuchjob'" in unknown.err and "/aws/lambda/lambdamagic" in unknown.err
    known = call("logs", "--job", job, "--since", "0s")
    assert (known.status, known.out) == (0, ""), "the history has it"
    not_its_task = call("logs", "--job", job, "--task", "99")
    assert (not_its_task.status, not_its_task.out) == (0, "") and "no log lines" in not_its_task.err
    assert call("logs", "--since", "soon").status == 4
    assert call("logs", "--task", "1").status == 2
    assert call("logs", "nobody").status == 3


def test_logs_are_followed(deployed: Account, tmp_path: Path) -> None:
    """`logs -f` prints what comes; Ctrl-C ends it."""
    import os
    import signal
    import subprocess
    import sys

    process = subprocess.Popen(
        [sys.executable, "-c", "from lambdamagic.cli import main; main()", "logs", "-f"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert call("invoke", "--code", "import sys; print('followed', file=sys.stderr)").status == 0
        assert process.stdout is not None
        for line in process.stdout:  # the test's own time limit bounds it
            if "followed" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_an_interrupt_that_python_drops_ends_it_all_the_same(deployed: Account) -> None:
    """An exception in `__del__` is printed and forgotten; the Ctrl-C that it was is not."""
    import subprocess
    import sys

    program = """
import os, signal
from lambdamagic.cli import main
from lambdamagic.clock import SystemClock

class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def sleep(self, seconds):
    Dying()

SystemClock.sleep = sleep
main()
"""
    done = subprocess.run([sys.executable, "-c", program, "logs", "-f"], capture_output=True, text=True, timeout=60)
    assert "Exception ignored in" in done.stderr
    assert done.returncode == 130


def test_policies_name_the_existing_resources(deployed: Account) -> None:
    """`policy user` names the deployed bucket; each is a policy that IAM takes."""
    bucket = call("config", "--json").document["bucket"]["value"]
    user = call("policy", "user").document
    assert bucket in json.dumps(user)
    for who in ("user", "role", "deployer"):
        document = call("policy", who).document
        assert document["Version"] == "2012-10-17"
        deployed.ask("iam", "create_policy", PolicyName=f"p-{who}", PolicyDocument=json.dumps(document))
    assert call("policy", "everybody").status == 2


@pytest.mark.parametrize("form", ["cloudformation", "sam", "terraform"])
def test_templates_are_printed_or_written(form: str, tmp_path: Path) -> None:
    """Without any account."""
    printed = call("template", form).out
    assert "lambdamagic.worker.handler.handler" in printed
    file = tmp_path / "out"
    assert call("template", form, "-o", str(file)).status == 0
    assert file.read_text() == printed
    company = ("--subnet", "subnet-12345678", "--security-group", "sg-12345678", "--log-days", "30")
    company += ("--permissions-boundary", "arn:aws:iam::123456789012:policy/Edge", "--env", "MODE=x")
    for shown in ("subnet-12345678", "sg-12345678", "policy/Edge", "30", "MODE"):
        assert shown in call("template", form, *company).out
    assert call("template", form, "--subnet", "subnet-12345678").status != 0, "a group is missing"
    nowhere = call("template", form, "-o", str(tmp_path / "nowhere" / "out"))
    assert nowhere.status == 1 and "an existing folder" in nowhere.err


@pytest.mark.parametrize(
    "command", ["deploy", "destroy", "list", "status", "logs", "policy user", "create x", "warm 1"]
)
def test_each_command_as_a_process(command: str, account: Account, tmp_path: Path) -> None:
    """An endpoint without a server: one message, no traceback, and a status that the help page explains."""
    environment = {**account.connection.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    more = {"AWS_MAX_ATTEMPTS": "1", "LAMBDAMAGIC_FUNCTION": "f", "LAMBDAMAGIC_BUCKET": "bbb"}
    done = run(tmp_path, *command.split(), environment={**environment, **more})
    assert done.status in (1, 7)
    assert "127.0.0.1:9" in done.err
    assert "Traceback" not in done.err


def test_objects_of_others_are_not_deleted(deployed: Account) -> None:
    """Unless that is asked for."""
    bucket = call("config", "--json").document["bucket"]["value"]
    deployed.ask("s3", "put_object", Bucket=bucket, Key="mine.csv", Body=b"1")
    refused = call("destroy", "--yes")
    assert refused.status == 6
    assert "1 objects that are not lambdamagic's" in refused.err
    assert call("destroy", "--yes", "--empty-bucket").status == 0
