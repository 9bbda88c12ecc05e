"""SnapStart as jobs meet it: a function that is invoked by the alias of a version, restored for each environment."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lambdamagic import LambdaExecutor
from lambdamagic.api import process
from lambdamagic.deploy.deployment import Deployment
from lambdamagic.deploy.functions import wait_until_ready
from lambdamagic.deploy.model import FUNCTION_TAG, HANDLER, StackSpec
from lambdamagic.deploy.packages import code_argument
from lambdamagic.deploy.policies import deployer_policy, user_policy
from lambdamagic.deploy.variants import VariantMaker
from lambdamagic.deploy.zips import facts_of
from lambdamagic.events import InvocationFinished
from lambdamagic.jobs.prices import Prices, snapshot_month_usd
from lambdamagic.local.local_server import LocalServer
from lambdamagic.pythons import python_here
from tests.deploy.accounts import Account
from tests.local.conftest import EVERYTHING, package

BUCKET = "of-snapped"
WHERE = {"partition": "aws", "account_id": "123456789012"}


@pytest.fixture(scope="module")
def own_account() -> Iterator[Account]:
    """An account of this file's own: what it makes is there for all of its tests."""
    with LocalServer.start() as server:
        yield Account(server)


@pytest.fixture(scope="module")
def snapped(own_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """A function with SnapStart behind the alias `live`, and a bucket; of this Python, which AWS may be too new for."""
    account, archive = own_account, tmp_path_factory.mktemp("code") / "code.zip"
    archive.write_bytes(package({"note.txt": "lambdamagic is there already"}))
    account.ask("s3", "create_bucket", Bucket=BUCKET)
    role = account.ask("iam", "create_role", RoleName="snapped", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    document = json.dumps(EVERYTHING)
    account.ask("iam", "put_role_policy", RoleName="snapped", PolicyName="all", PolicyDocument=document)
    account.ask(
        "lambda",
        "create_function",
        FunctionName="snapped",
        Runtime=f"python{python_here()}",
        Handler=HANDLER,
        Role=role,
        Code=code_argument(account.access, facts_of(archive), bucket=BUCKET),
        MemorySize=1024,
        Timeout=60,
        SnapStart={"ApplyOn": "PublishedVersions"},
        Tags=FUNCTION_TAG,
    )
    version = account.ask("lambda", "publish_version", FunctionName="snapped")["Version"]
    account.ask("lambda", "create_alias", FunctionName="snapped", Name="live", FunctionVersion=version)
    once = {"MaximumRetryAttempts": 0}  # as the stack says of the alias
    account.ask("lambda", "put_function_event_invoke_config", FunctionName="snapped", Qualifier="live", **once)
    return account


@pytest.fixture
def settings(snapped: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[pytest.MonkeyPatch]:
    """The settings that `lambdamagic deploy --snapstart` writes."""
    own = {"TARGET": "aws", "FUNCTION": "snapped:live", "BUCKET": BUCKET}
    variables = {**snapped.connection.environment(), **{f"LAMBDAMAGIC_{key}": value for key, value in own.items()}}
    for name, value in {**variables, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    process.close()
    yield monkeypatch
    process.close()


def meet(folder: str, number: int) -> tuple[float, str]:
    """Draw a random number and a temporary name, while another environment does so too."""
    import tempfile

    Path(folder, str(number)).touch()  # for the other one
    while len([*Path(folder).iterdir()]) < 2:
        pass
    with tempfile.NamedTemporaryFile() as file:
        return random.random(), file.name.rpartition("/")[2]


def test_jobs_run_by_the_alias_and_restores_are_billed(
    settings: pytest.MonkeyPatch, snapped: Account, tmp_path: Path
) -> None:
    """With exactly the printed policy; each environment has its own id and randomness; mode event works likewise."""
    policy = user_policy(
        **WHERE, region=snapped.connection.region, function="snapped", bucket=BUCKET, has_snapstart=True
    )
    for name, value in snapped.person("user", policy).items():
        settings.setenv(name, value)
    finished: list[InvocationFinished] = []

    def listen(event: Any) -> None:
        if isinstance(event, InvocationFinished):
            finished.append(event)

    met = tmp_path / "met"
    met.mkdir()
    with LambdaExecutor(max_workers=2) as executor:
        executor.add_listener(listen)
        drawn = list(executor.map(partial(meet, str(met)), range(2), chunksize=1))
    assert len({number for number, _ in drawn}) == len({name for _, name in drawn}) == 2
    restored = [event for event in finished if event.is_cold]
    assert restored, "one of them may have been asked already what the function holds"
    assert len({event.environment_id for event in finished}) == 2
    prices = Prices.of(snapped.connection.region)
    for event in restored:
        assert event.report is not None and event.report.restore_ms > 0 and event.report.init_ms == 0
        without = prices.invocation_usd(billed_ms=event.report.billed_ms, memory_mb=1024)
        assert event.cost_usd == pytest.approx(without + 0.0001397998, abs=0.00001)
    with LambdaExecutor(max_workers=2, mode="event") as executor:
        assert list(executor.map(abs, range(4))) == [0, 1, 2, 3]


def test_a_variant_has_a_version_and_an_alias_too(snapped: Account) -> None:
    """It follows its base, and keeps one snapshot; without SnapStart the base's variants have none again."""
    from lambdamagic.deploy.functions import describe_function

    def variants() -> VariantMaker:
        return VariantMaker(snapped.access, "snapped:live", bucket=BUCKET)

    base = describe_function(snapped.access, "snapped:live")
    assert base.is_restored
    name = variants().name(base, 2048, 60, python_here())
    assert variants().find(name, 2048, 60) is None
    made = variants().make(name, 2048, 60)
    assert (made.name, made.memory_mb, made.is_restored) == (f"{name}:live", 2048, True)
    found = variants().find(name, 2048, 60)
    assert found is not None and found.configuration["Version"] == made.configuration["Version"] == "1"

    changed = {"FunctionName": "snapped", "Environment": {"Variables": {"MINE": "1"}}}
    snapped.ask("lambda", "update_function_configuration", **changed)
    version = snapped.ask("lambda", "publish_version", FunctionName="snapped")["Version"]
    with closing(snapped.access.client("lambda")) as client:
        wait_until_ready(client, f"snapped:{version}")
    snapped.ask("lambda", "update_alias", FunctionName="snapped", Name="live", FunctionVersion=version)
    found = variants().find(name, 2048, 60)
    assert found is not None and found.configuration["Environment"]["Variables"] == {"MINE": "1"}
    versions = snapped.ask("lambda", "list_versions_by_function", FunctionName=name)["Versions"]
    assert [each["Version"] for each in versions] == ["$LATEST", "2"]


def test_deployers_need_what_is_printed(snapped: Account, code: Any) -> None:
    """Made, made larger (another version) and deleted with exactly the printed policy."""
    from lambdamagic.aws.access import AwsAccess
    from lambdamagic.deploy.destroy import Demolition

    policy = deployer_policy(**WHERE, region=snapped.connection.region, name="snapstack")
    who = snapped.person("deployer", policy)
    access = AwsAccess(
        region=snapped.connection.region,
        endpoint_url=snapped.connection.endpoint_url,
        access_key_id=who["AWS_ACCESS_KEY_ID"],
        secret_access_key=who["AWS_SECRET_ACCESS_KEY"],
    )
    for memory_mb in (512, 1024):
        spec = StackSpec.changed({}, name="snapstack", python="3.12", has_snapstart=True, memory_mb=memory_mb)
        done = Deployment(access, spec, code=code).apply()
        assert (done.function, done.has_changed) == ("snapstack:live", True)
    live = snapped.ask("lambda", "get_function_configuration", FunctionName="snapstack:live")
    assert (live["Version"], live["MemorySize"]) == ("2", 1024)
    Demolition(access, "snapstack").run(empty_bucket=True)
    assert "snapstack" not in snapped.inventory()["functions"]


def test_what_a_snapshot_costs() -> None:
    """A GB for 30 days at AWS's list price."""
    assert snapshot_month_usd(1024) == pytest.approx(3.90, abs=0.01)
