"""Each check of doctor in its good and its bad cases, on an account played by the embedded Lambda."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.api.spending import spending
from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import ResolvedSettings, Settings
from lambdamagic.deploy.installed import distributions_of
from lambdamagic.deploy.model import GRAPHS_VARIABLE, HANDLER
from lambdamagic.doctor.examine import examine
from lambdamagic.doctor.findings import Finding
from lambdamagic.doctor.reach import check_clock, check_reach, reach
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.protocol.holdings import VARIABLE, Holdings, pack
from lambdamagic.pythons import python_here
from tests.deploy.image_functions import make_image_function
from tests.doctor.scripted import clock_that_is_off, iam_that_denies

HERE = python_here()
SECRET_NAMES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass
class Account:
    """An account with a function and a bucket, and the settings that lead there."""

    server: LocalServer
    settings: Settings

    def access(self, **changes: Any) -> AwsAccess:
        connection = self.server.connection
        given = {
            "region": connection.region,
            "endpoint_url": connection.endpoint_url,
            "access_key_id": connection.access_key_id,
            "secret_access_key": connection.secret_access_key,
        }
        return AwsAccess(**{**given, **changes})

    def look(self, access: AwsAccess | None = None, *, modules: Any = (), **settings: Any) -> dict[str, Finding]:
        """Examine it; return the findings by check."""
        resolved = ResolvedSettings(replace(self.settings, **settings), {})
        findings = list(examine(resolved, access=access or self.access(), modules=modules))
        text = json.dumps([each.to_json() for each in findings])
        assert self.server.connection.secret_access_key not in text
        return {each.check: each for each in findings}

    def image(self, name: str, handler: str, files: dict[str, str], folder: Path) -> str:
        """Make a function from an image that another process made."""
        with closing(self.access().client("lambda")) as client, closing(self.access().client("ecr")) as ecr:
            role = client.get_function_configuration(FunctionName="good")["Role"]
            return make_image_function(client, ecr, name, role=role, handler=handler, files=files, folder=folder / name)

    def function(self, name: str, holdings: Holdings | None = None, *, has_graphs: bool = False, **changes: Any) -> str:
        """Make a function."""
        from tests.local.conftest import package

        variables = {} if holdings is None else {VARIABLE: pack(holdings)[0]}
        variables |= {GRAPHS_VARIABLE: "1"} if has_graphs else {}
        with closing(self.access().client("lambda")) as client, closing(self.access().client("iam")) as iam:
            try:
                role = iam.get_role(RoleName="doctor")["Role"]["Arn"]
            except iam.exceptions.NoSuchEntityException:
                role = iam.create_role(RoleName="doctor", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
            given = {"Runtime": f"python{HERE}", "Handler": HANDLER, "MemorySize": 512, "Timeout": 60, **changes}
            client.create_function(
                FunctionName=name,
                Role=role,
                Code={"ZipFile": package({"x.py": ""})},
                Environment={"Variables": variables},
                **given,
            )
        return name


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with LocalServer.start() as server:
        settings = Settings(target="aws", function="good", bucket="doctor", max_concurrency=4)
        made = Account(server, settings)
        with closing(made.access().client("s3")) as s3:
            s3.create_bucket(Bucket="doctor")
        made.function("good", Holdings(HERE, distributions_of(["numpy", "pandas"]), made_by="lambdamagic deploy good"))
        yield made


def test_all_is_well(account: Account) -> None:
    """Every check has looked and is content, in the order in which a person would look."""
    before = spending("1d").cost_usd
    found = account.look(modules=["numpy", "json"])
    assert spending("1d").cost_usd > before, "`lambdamagic cost` has what doctor ran"
    assert list(found) == [
        "Python",
        "packages",
        "settings",
        "credentials",
        "region",
        "identity",
        "rights",
        "bucket",
        "function",
        "function's Python",
        "protocol",
        "function's packages",
        "concurrency",
        "clock",
        "reach lambda",
        "reach s3",
        "round trip, first",
        "round trip, second",
    ]
    assert {check: each.text for check, each in found.items() if each.state != "ok"} == {}
    first, second = found["round trip, first"].facts, found["round trip, second"].facts
    assert first["init_ms"] > 0 and second["init_ms"] == 0
    for facts in (first, second):
        parts = facts["request_ms"] + facts["init_ms"] + facts["run_ms"]
        assert parts == pytest.approx(facts["elapsed_ms"], abs=1) or parts > facts["elapsed_ms"]
    assert found["identity"].facts["account"] == "123456789012"
    assert "all 1 that the notebook has imported" in found["function's packages"].text


def test_credentials(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None; wrong ones; from a file: each said with its source, none shown; the rest is skipped, not failed."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    none = account.look(account.access(access_key_id=None, secret_access_key=None))
    assert none["credentials"].state == "failed" and "aws sso login" in none["credentials"].fix
    assert none["function"].state == "skipped" and none["reach lambda"].state == "ok"
    wrong = account.look(account.access(secret_access_key="wrong-secret-value"))
    assert wrong["identity"].state == "failed" and "secret access key" in wrong["identity"].text
    assert "wrong-secret-value" not in str(wrong)
    connection = account.server.connection
    file = tmp_path / "credentials"
    keys = f"aws_access_key_id = {connection.access_key_id}\naws_secret_access_key = {connection.secret_access_key}\n"
    file.write_text(f"[default]\n{keys}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    right = account.look(account.access(access_key_id=None, secret_access_key=None))
    assert "the credentials file, profile default" in right["credentials"].text
    assert connection.access_key_id not in right["credentials"].text


def test_no_region(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, and nothing is guessed."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    found = account.look(account.access(region=None))
    assert found["region"].state == "failed" and found["identity"].state == "skipped"
    assert found["round trip"].state == "skipped"


def test_rights_by_harmless_calls(account: Account) -> None:
    """Where IAM does not simulate: a dry run and an object that is gone afterwards."""
    with closing(account.access().client("s3")) as s3:
        before = s3.list_objects_v2(Bucket="doctor").get("KeyCount")
        found = account.look()
        assert s3.list_objects_v2(Bucket="doctor").get("KeyCount") == before
    assert "tested with harmless calls" in found["rights"].text


def test_rights_by_simulation(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is denied is named: needed ones fail, useful ones warn; the function's and the bucket's ARNs are asked."""
    connection = account.server.connection
    for name, value in connection.environment().items():
        monkeypatch.setenv(name, value)
    with iam_that_denies("lambda:InvokeFunction", "logs:FilterLogEvents") as (url, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", url)
        found = account.look(AwsAccess())
        assert found["rights"].state == "failed"
        assert found["rights"].text == "not allowed: lambda:InvokeFunction (simulated by IAM)"
        assert "lambdamagic policy user" in found["rights"].fix
    resources = {values[0] for form in asked for name, values in form.items() if name.startswith("ResourceArns")}
    assert f"arn:aws:lambda:{connection.region}:123456789012:function:good" in resources
    with iam_that_denies("logs:FilterLogEvents") as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", url)
        found = account.look(AwsAccess())
        assert found["rights"].state == "warning" and "logs:FilterLogEvents" in found["rights"].text


def test_rights_of_a_function_with_snapstart(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs invoke its alias: the right to that is asked about, too."""
    connection = account.server.connection
    for name, value in connection.environment().items():
        monkeypatch.setenv(name, value)
    with iam_that_denies() as (url, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", url)
        assert account.look(AwsAccess(), function="good:live")["rights"].state == "ok"
    resources = {value for form in asked for name, (value,) in form.items() if name.startswith("ResourceArns")}
    arn = f"arn:aws:lambda:{connection.region}:123456789012:function:good"
    assert {arn, f"{arn}:live"} <= resources


def test_rights_of_a_function_in_which_graphs_run(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role may invoke the function, and use one prefix; without the variable nothing is asked."""
    name = account.function("walks", has_graphs=True)
    assert "graphs" not in account.look()
    assert account.look(function=name)["graphs"].state == "skipped"
    assert account.look(function=name, bucket=None)["graphs"].state == "failed"
    for variable, value in account.server.connection.environment().items():
        monkeypatch.setenv(variable, value)
    with iam_that_denies() as (url, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", url)
        assert account.look(AwsAccess(), function=name)["graphs"].state == "ok"
    of_role = [form for form in asked if form["PolicySourceArn"][0].endswith(":role/doctor")]
    resources = {values[0] for form in of_role for key, values in form.items() if key.startswith("ResourceArns")}
    arn = f"arn:aws:lambda:{account.server.connection.region}:123456789012:function:walks"
    assert resources == {arn, "arn:aws:s3:::doctor/lambdamagic/graphs/doctor", "arn:aws:s3:::doctor"}
    with iam_that_denies("s3:PutObject") as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", url)
        found = account.look(AwsAccess(), function=name)["graphs"]
    assert (found.state, found.text) == ("failed", "the function's role may not s3:PutObject (simulated by IAM)")
    assert "deploy --graphs" in found.fix


def test_a_missing_bucket_and_function_are_reported(account: Account) -> None:
    """Each is named with its fix, and the round trip is not tried."""
    found = account.look(bucket="no-such-bucket-here", function="nobody")
    assert found["bucket"].state == "failed" and "no-such-bucket-here" in found["bucket"].text
    assert found["function"].state == "failed" and "'nobody'" in found["function"].text
    assert found["round trip"].state == "skipped"
    assert account.look(bucket=None)["bucket"].state == "warning"
    unset = account.look(function=None)
    assert unset["settings"].state == "failed" and "lambdamagic deploy" in unset["settings"].fix


def test_the_functions_packages_are_checked(account: Account, tmp_path: Path) -> None:
    """Another Python, another protocol, other packages; one that only says when it is asked, and one that does not."""
    other = account.look(function=account.function("other-python", Holdings("3.99", kind="image")))
    assert other["function's Python"].state == "failed" and "3.99 there" in other["function's Python"].text
    held = Holdings(HERE, protocol=99, lambdamagic="9.0", made_by="lambdamagic deploy older")
    older = account.look(function=account.function("older", held))
    assert older["protocol"].state == "failed" and older["protocol"].fix == "Run `lambdamagic deploy older`"
    version = distributions_of(["numpy"])["numpy"]
    thin = account.function("thin", Holdings(HERE, {"pandas": "1.0.0"}, made_by="lambdamagic deploy thin"))
    found = account.look(function=thin, modules=["numpy", "os"])["function's packages"]
    assert found.state == "warning" and f"numpy (here {version}) is missing" in found.text
    assert found.fix == f"Run `lambdamagic deploy thin --add 'numpy=={version}'`"
    assert "pandas is" in account.look(function=thin)["function's packages"].text
    silent = account.look(function=account.function("silent"), modules=["numpy"])["function's packages"]
    assert silent.state == "ok" and "all 1 that the notebook has imported" in silent.text
    mute = account.look(function=account.image("mute", "nowhere.handler", {}, tmp_path))["function's packages"]
    assert mute.state == "warning" and "does not publish" in mute.text


def test_concurrency_that_is_too_low(account: Account) -> None:
    """What the account has, what a job asks for, and where to request more."""
    found = account.look(max_concurrency=5_000)["concurrency"]
    assert found.state == "warning" and "uses up to 5,000" in found.text and "Service Quotas" in found.fix


def test_a_round_trip_that_fails(account: Account, tmp_path: Path) -> None:
    """An image that is not lambdamagic's passes every check but this one: Lambda does not say what is in it."""
    from tests.local.conftest import ECHO

    found = account.look(function=account.image("not-ours-image", "app.handler", {"app.py": ECHO}, tmp_path))
    assert found["function"].state == "ok"
    assert found["round trip"].state == "failed" and "not lambdamagic's" in found["round trip"].text


def test_a_foreign_function_is_reported(account: Account) -> None:
    """Its handler is not ours: that check fails, with the fix, and it is asked nothing."""
    name = account.function("not-ours", Handler="app.handler")
    faults = Faults(account.server.connection)
    before = sum(faults.stats()["results"].values())
    found = account.look(function=name, modules=["numpy"])
    assert sum(faults.stats()["results"].values()) == before
    assert found["function"].state == "failed"
    assert "not-ours is not lambdamagic's: its handler is app.handler" in found["function"].text
    assert "lambdamagic deploy" in found["function"].fix
    assert found["round trip"].state == "skipped"


def test_the_clock() -> None:
    """Seconds are nothing, minutes a warning, a quarter of an hour keeps AWS from answering."""
    for seconds, state in ((0, "ok"), (-300, "warning"), (3600, "failed"), (-7200, "failed")):
        with clock_that_is_off(seconds, time.time()) as url:
            found = check_clock(reach(url, ca_file=None).skew_s)
        assert found.state == state, found
        assert ("timedatectl" in found.fix) == (state != "ok")
    assert check_clock(None).state == "skipped"


def test_an_endpoint_that_cannot_be_reached() -> None:
    """No listener, no such name, no TLS there: each in words, with what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    refused, _ = check_reach("lambda", f"http://127.0.0.1:{port}", ca_file=None, proxy=None)
    assert refused.state == "failed" and "refused" in refused.text and "network" in refused.fix.lower()
    unknown, _ = check_reach("s3", "https://s3.nowhere.invalid", ca_file=None, proxy=None)
    assert unknown.state == "failed" and "not in DNS" in unknown.text
    with clock_that_is_off(0, time.time()) as url:
        plain, _ = check_reach("lambda", url.replace("http:", "https:"), ca_file=None, proxy=None)
    assert plain.state == "failed" and "AWS_CA_BUNDLE" in plain.fix
    proxied, _ = check_reach("s3", "https://s3.nowhere.invalid", ca_file=None, proxy="http://me:secret@proxy.test:3128")
    assert proxied.state == "skipped" and "proxy.test:3128" in proxied.text and "secret" not in proxied.text


def _command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    program = Path(sys.executable).with_name("lambdamagic")
    return subprocess.run(
        [str(program), "doctor", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command(account: Account) -> None:
    """As text with signs and fixes, or as JSON for programs; the exit status says whether jobs can run."""
    local = _command("--target", "local")
    assert local.returncode == 0, local.stderr
    assert "✓ round trip, second" in local.stdout and local.stdout.rstrip().endswith("all checks passed")
    environment = account.server.connection.environment()
    aws = {"LAMBDAMAGIC_FUNCTION": "good", "LAMBDAMAGIC_BUCKET": "doctor", "LAMBDAMAGIC_MAX_CONCURRENCY": "4"}
    good = _command("--json", **environment, **aws)
    shown = json.loads(good.stdout)
    assert good.returncode == 0 and shown["ok"], good.stdout
    assert environment["AWS_SECRET_ACCESS_KEY"] not in good.stdout
    bad = _command(**environment, **{**aws, "LAMBDAMAGIC_FUNCTION": "nobody"})
    assert bad.returncode == 1
    assert "✗ function" in bad.stdout and "-> " in bad.stdout and "1 of " in bad.stdout
    quiet = _command("--no-invoke", **environment, **aws)
    assert quiet.returncode == 0 and "round trip" not in quiet.stdout


def test_in_the_notebook(notebook: Any) -> None:
    """`%lambda doctor` is a table; the notebook's own embedded Lambda is used."""
    notebook.ok("import numpy")
    pid = notebook.server.connection.pid
    ran = notebook.run("%lambda doctor")
    assert ran.error is None
    assert "✓ round trip, first" in ran.text and "all checks passed" in ran.text
    assert "<table" in ran.out["text/html"]
    assert notebook.server.connection.pid == pid
