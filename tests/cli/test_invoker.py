"""`lambdamagic deploy --invoker`: made by who may deploy, used by who may use, faults and all, and taken away again."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lambdamagic import LambdaExecutor, events
from lambdamagic.api import process
from lambdamagic.errors import CredentialsError, FunctionMissingError, NotOursError
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import FaultRule
from lambdamagic.protocol import versions
from lambdamagic.protocol.batch import Batch
from tests.cli.calling import Done, call
from tests.deploy.accounts import Account
from tests.local.conftest import ECHO, package

NAME, INVOKER = "crowd", "crowd-invoker"
#: Few run at once, since each is a process of this machine; the rest waits in Lambda's queue, for moments only.
DEPLOY = ("deploy", NAME, "--concurrency", "16", "--memory", "256", "--no-config")
TASKS, CHUNK = 240, 5

WORK = """
def work(folder, number):
    import io  # `open` is IPython's own where an earlier test's notebook is `__main__`
    with io.open(f"{folder}/{number}", "a") as file:
        file.write("x")
    return number * number
"""

Become = Callable[..., None]


def well(*words: str) -> Done:
    done = call(*words)
    assert done.status == 0, done.err
    return done


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account in which a user with exactly the deployer's policy deploys, and in the end destroys."""
    home = tmp_path_factory.mktemp("crowd")
    with LocalServer.start(concurrency=164, time_factor=0.05) as server, pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(home))
        patch.chdir(home)
        # Batches are made when all is ready, however long a loaded machine takes for that.
        patch.setattr("lambdamagic.jobs.handover._LINGER_S", 20.0)
        found = Account(server)
        for variable, value in server.connection.environment().items():
            patch.setenv(variable, value)
        before = found.inventory()
        deployer = found.person("deployer", call("policy", "deployer", NAME).document)
        with pytest.MonkeyPatch.context() as as_deployer:
            for variable, value in deployer.items():
                as_deployer.setenv(variable, value)
            assert f"invoker   {INVOKER}" in well(*DEPLOY, "--invoker").out
        bucket = found.inventory()["buckets"][0]
        for variable, value in {"TARGET": "aws", "FUNCTION": NAME, "BUCKET": bucket}.items():
            patch.setenv(f"LAMBDAMAGIC_{variable}", value)
        yield found
        process.close()
        with pytest.MonkeyPatch.context() as as_deployer:
            for variable, value in deployer.items():
                as_deployer.setenv(variable, value)
            well("destroy", NAME, "--yes")
        assert found.inventory() == before


@pytest.fixture
def become(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Become]:
    """Continue as a person who has just these policies."""

    def become(name: str, *policies: Any) -> None:
        process.close()
        for variable, value in account.person(name, *policies).items():
            monkeypatch.setenv(variable, value)

    yield become
    process.close()
    account.faults.clear()


def run(work: Any, items: Any, **options: Any) -> tuple[list[Any], Any, list[events.Event]]:
    """Run a map in mode event; return its results, the job and its events."""
    happened: list[events.Event] = []
    with LambdaExecutor(64, mode="event", **options) as executor:
        executor.add_listener(happened.append)
        job = executor.start_map(work, items, chunksize=CHUNK)
        return job.result(timeout=90), job, happened


def handed(happened: list[events.Event]) -> list[events.BatchHandedOver]:
    return [event for event in happened if isinstance(event, events.BatchHandedOver)]


def test_a_map_by_who_may_only_invoke_the_invoker(account: Account, become: Become) -> None:
    """The worker is invoked by the invoker's role: this user could not. A few requests carry all, and all is billed."""
    policy = call("policy", "user", NAME).document
    [run_jobs] = [each for each in policy["Statement"] if each["Sid"] == "RunJobs"]
    assert run_jobs["Resource"][-1].endswith(f":function:{INVOKER}")
    run_jobs["Action"].remove("lambda:InvokeFunction")
    invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": run_jobs["Resource"][-1]}
    become("user", {**policy, "Statement": [*policy["Statement"], invoke]})
    results, job, happened = run(abs, range(TASKS))
    assert results == list(range(TASKS))
    batches = handed(happened)
    assert sum(each.invocations for each in batches) == TASKS / CHUNK
    assert len(batches) <= 4
    costs = [each.cost_usd for each in happened if isinstance(each, events.InvocationFinished)]
    assert len(costs) == TASKS / CHUNK and all(each.cost_usd > 0 for each in batches)
    charged = [each.cost_usd for each in happened if isinstance(each, events.Charged)]
    assert job.cost_usd == pytest.approx(sum(costs) + sum(each.cost_usd for each in batches) + sum(charged))
    log = well("logs", INVOKER, "--job", job.job_id).out
    assert log.count("REPORT RequestId") == len(batches) and f"LAMBDAMAGIC job={job.job_id}" in log
    [kept] = [each for each in call("jobs", "--json").document["jobs"] if each["job_id"] == job.job_id]
    assert kept["cost_usd"] == pytest.approx(job.cost_usd)


def test_no_fault_loses_an_event_or_runs_it_twice(account: Account, become: Become, tmp_path: Path) -> None:
    """Events throttled, refused, broken off, doubled in batches; one invoker killed, another never answering again."""
    become("user", call("policy", "user", NAME).document)
    run(abs, range(TASKS))  # environments are warm, so that the kill meets a batch and no INIT
    account.faults.add(
        FaultRule("kill", function=INVOKER, count=1, delay_s=0.05),
        FaultRule("drop_after", function=INVOKER, count=1, skip=1),
        FaultRule("throttle", function=NAME, count=9, skip=4),
        FaultRule("error", function=NAME, count=5, skip=4),
        FaultRule("drop_after", function=NAME, count=5, skip=4),
        FaultRule("duplicate", function=NAME, count=5, skip=4),
    )
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(WORK, namespace)
    results, _, happened = run(functools.partial(namespace["work"], str(tmp_path)), range(TASKS))
    account.faults.clear()
    assert results == [number * number for number in range(TASKS)]
    assert Counter(event.task for event in happened if isinstance(event, events.TaskFinished)) == Counter(range(TASKS))
    assert Counter(path.read_text() for path in tmp_path.iterdir()) == {"x": TASKS}
    # Which events were throttled differs: one that was perhaps taken before only waits, and is not reported.
    assert handed(happened)


def test_a_larger_variant_is_invoked_by_the_same_invoker(account: Account) -> None:
    """It has its base's variables, and the role's right is on it too."""
    try:
        results, _, happened = run(abs, range(80), memory_mb=512, variants="always")
    finally:
        process.close()
    assert results == list(range(80))
    assert sum(each.invocations for each in handed(happened)) == 16
    [variant] = [each for each in account.inventory()["functions"] if "-512mb-" in each]
    log = well("logs", variant).out
    assert log.count("LAMBDAMAGIC job=") == 16
    # On AWS it logs into its base's group; the embedded Lambda gives each function a separate one.
    account.ask("logs", "delete_log_group", logGroupName=f"/aws/lambda/{variant}")


def test_a_role_that_lost_its_right(account: Account, become: Become) -> None:
    """The error says whose rights are missing, on what, and the command."""
    become("user", call("policy", "user", NAME).document)
    arn = account.ask("lambda", "get_function_configuration", FunctionName=INVOKER)["Role"]
    role = {"RoleName": arn.rpartition("/")[2], "PolicyName": "invoker"}
    whole = account.ask("iam", "get_role_policy", **role)["PolicyDocument"]
    less = {**whole, "Statement": [each for each in whole["Statement"] if each["Sid"] != "InvokeItsFunction"]}
    account.ask("iam", "put_role_policy", **role, PolicyDocument=json.dumps(less))
    try:
        with pytest.raises(CredentialsError) as raised:
            run(abs, range(TASKS))
    finally:
        account.ask("iam", "put_role_policy", **role, PolicyDocument=json.dumps(whole))
    assert "lack the permission lambda:InvokeFunction on arn:" in str(raised.value) and f"function:{NAME}" in str(
        raised.value
    )
    assert "invoker's role" in str(raised.value) and "--invoker" in str(raised.value)


def test_a_user_without_the_right_to_it(account: Account, become: Become) -> None:
    """A policy from before there was an invoker: the error names the right and the command that prints the policy."""
    become("user", call("policy", "user", NAME, "--no-invoker").document)
    with pytest.raises(CredentialsError) as raised:
        run(abs, range(TASKS))
    assert f"function:{INVOKER}" in str(raised.value) and "lambdamagic policy user" in str(raised.value)
    checks = {each["check"]: each for each in call("doctor", "--json").document["checks"]}
    assert checks["invoker"]["state"] == "failed" and "lambdamagic policy user" in checks["invoker"]["fix"]


def test_it_does_nothing_else(account: Account) -> None:
    """It takes batches for its own function and its variants only; it is no function for cells."""

    def ask(document: Any) -> Any:
        with closing(account.access.client("lambda")) as client:
            return json.loads(client.invoke(FunctionName=INVOKER, Payload=json.dumps(document))["Payload"].read())

    for function in ("crowded", "crowd-py311-x", "crowd-invoker", "other", f"{NAME}:$LATEST", "../crowd", ""):
        batch = Batch(versions.here(), function, "j", (0, 0), {"job": "j"}, ({},))
        refused = ask(batch.to_json())
        assert (refused["status"], refused["error_kind"]) == ("refused", "ProtocolError"), function
        assert f"invokes {NAME} and its variants" in refused["detail"]
    older = {**batch.to_json(), "lambdamagic": {**versions.here(), "protocol": 0}}
    assert ask(older)["error_kind"] == "VersionMismatchError"
    for event in ({"a": 1}, [], {"lambdamagic": versions.here(), "kind": "map", "tell": "holdings"}):
        assert ask(event)["status"] == "refused"
    with (
        pytest.raises(NotOursError, match=f"is an invoker.*\n.*{NAME}"),
        LambdaExecutor(1, function=INVOKER) as executor,
    ):
        executor.submit(abs, 1).result()
    process.close()


def test_what_the_commands_say(account: Account) -> None:
    """It is listed as what it is, belongs to its deployment, and is looked at by doctor."""
    assert f"invoker of {NAME}" in [each["made_by"] for each in call("list", "--json").document["functions"]]
    assert f"invoker   {INVOKER}" in well("status", NAME).out
    refused = call("delete", INVOKER, "--yes")
    assert refused.status != 0 and f"part of the deployment {NAME}" in refused.err
    checks = {each["check"]: each for each in call("doctor", "--json").document["checks"]}
    assert (checks["invoker"]["state"], checks["invoker"]["text"]) == ("ok", f"{INVOKER} answers")
    assert all(each["state"] != "failed" for each in checks.values()), checks
    mine = call("policy", "invoker", NAME).document["Statement"]
    assert [each["Sid"] for each in mine] == ["WriteItsLog", "InvokeItsFunction"]
    found = account.ask("lambda", "get_function", FunctionName=INVOKER)
    assert found["Tags"]["lambdamagic"] == "invoker"
    assert found["Configuration"]["Environment"]["Variables"] == {"LAMBDAMAGIC_INVOKES": NAME}
    retries = account.ask("lambda", "get_function_event_invoke_config", FunctionName=INVOKER)
    assert retries["MaximumRetryAttempts"] == 0


def test_it_can_be_taken_away_and_made_again(account: Account) -> None:
    """Without it events go directly; a name that is taken is reported; so is one that is gone."""
    account.ask("lambda", "delete_function", FunctionName=INVOKER)
    with pytest.raises(FunctionMissingError, match=f"the invoker {INVOKER} of {NAME} cannot be used.*\n.*--no-invoker"):
        run(abs, range(TASKS))
    process.close()
    well(*DEPLOY, "--no-invoker")
    found = account.ask("lambda", "get_function_configuration", FunctionName=NAME)
    assert "LAMBDAMAGIC_INVOKER" not in found["Environment"]["Variables"]
    assert "InvokerName" not in call("status", NAME, "--json").document["outputs"]
    results, _, happened = run(abs, range(80))
    assert results == list(range(80)) and not handed(happened)
    process.close()

    arguments = {
        "Runtime": found["Runtime"],
        "Role": found["Role"],
        "Handler": "a.b",
        "Code": {"ZipFile": package({"a.py": ECHO})},
    }
    account.ask("lambda", "create_function", FunctionName=INVOKER, **arguments)
    taken = call(*DEPLOY, "--invoker")
    assert taken.status != 0 and f"a function '{INVOKER}' exists" in taken.err
    account.ask("lambda", "delete_function", FunctionName=INVOKER)
    well(*DEPLOY, "--invoker")
    assert INVOKER in account.inventory()["functions"]
