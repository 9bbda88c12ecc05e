"""Variants of a function in other sizes: created from the same code and kept in step; no other function is changed."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import Settings
from lambdamagic.deploy.functions import variant_name
from lambdamagic.deploy.managed import Functions, Surroundings
from lambdamagic.deploy.model import HANDLER, FunctionSpec
from lambdamagic.deploy.packages import (
    LambdaPlatform,
    Package,
    WheelSource,
    build_package,
    code_argument,
    publish_holdings,
    publish_layer,
)
from lambdamagic.deploy.policies import invoker_policy, user_policy
from lambdamagic.deploy.variants import TAG, variants_of
from lambdamagic.deploy.zips import facts_of
from lambdamagic.errors import ConfigError, PackageError, TargetError, VersionMismatchError
from lambdamagic.local.local_server import LocalServer
from lambdamagic.protocol.holdings import VARIABLE, Holdings, pack
from lambdamagic.pythons import python_here
from lambdamagic.targets.aws_target import AwsTarget
from lambdamagic.targets.target import FunctionWish
from lambdamagic.worker.invoker import _is_own
from tests.deploy.accounts import Account
from tests.deploy.image_functions import MANIFEST

HERE = python_here()
BUCKET = "variants"


@pytest.fixture(scope="module")
def own_account() -> Iterator[Account]:
    with LocalServer.start() as server:
        yield Account(server)


@pytest.fixture(scope="module")
def access(own_account: Account) -> AwsAccess:
    return own_account.access


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("package")
    return build_package(LambdaPlatform(HERE), WheelSource(), folder=folder, made_by="lambdamagic update base")


@pytest.fixture(scope="module")
def base(access: AwsAccess, package: Package) -> str:
    """A function as `lambdamagic create` makes it."""
    with (
        closing(access.client("s3")) as s3,
        closing(access.client("iam")) as iam,
        closing(access.client("lambda")) as client,
    ):
        s3.create_bucket(Bucket=BUCKET)
        role = iam.create_role(RoleName="variants", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client.create_function(
            FunctionName="base",
            Runtime=f"python{HERE}",
            Role=role,
            Handler=HANDLER,
            Code=code_argument(access, package.code, bucket=BUCKET),
            Layers=[publish_layer(access, layer, package.platform, bucket=BUCKET) for layer in package.layers],
            Environment={"Variables": {"MINE": "1", **publish_holdings(access, package.holdings, bucket=BUCKET)}},
            MemorySize=1024,
            Timeout=60,
            Tags={"lambdamagic": "function", "team": "blue"},
        )
    return "base"


@pytest.fixture
def open_target(access: AwsAccess, base: str) -> Iterator[Callable[..., AwsTarget]]:
    opened: list[AwsTarget] = []

    def start(function: str = base, *, bucket: str | None = BUCKET, ask: Any = None, **settings: Any) -> AwsTarget:
        opened.append(AwsTarget(Settings(target="aws", function=function, bucket=bucket, **settings), access, ask=ask))
        return opened[-1]

    yield start
    for target in opened:
        target.close()


def _wish(memory_mb: int = 0, timeout_s: int = 0) -> FunctionWish:
    return FunctionWish(memory_mb or 2048, timeout_s or 300, HERE, least_memory_mb=memory_mb, least_timeout_s=timeout_s)


def test_a_variant_is_made_from_the_same_code_and_runs(open_target: Any, access: AwsAccess, package: Package) -> None:
    """Its size is the one asked for; code, layers, variables, role and tags are the base's; it really runs."""
    target = open_target(variants="always")
    ref = target.function_for(_wish(4096))
    assert (ref.memory_mb, ref.timeout_s) == (4096, 60)
    assert ref.name == variant_name("base", 4096, 60, HERE)
    assert ref.holdings == package.holdings
    with closing(access.client("lambda")) as client:
        made, kept = client.get_function(FunctionName=ref.name), client.get_function(FunctionName="base")
        answer = client.invoke(FunctionName=ref.name, Payload=b"{}")
        assert b"this function accepts lambdamagic's events" in answer["Payload"].read()
    same = ("CodeSha256", "Role", "Handler", "Runtime", "Environment")
    assert {name: made["Configuration"][name] for name in same} == {name: kept["Configuration"][name] for name in same}
    assert [x["Arn"] for x in made["Configuration"]["Layers"]] == [x["Arn"] for x in kept["Configuration"]["Layers"]]
    assert made["Tags"] == {"lambdamagic": "function", "team": "blue", TAG: "base"}
    assert kept["Configuration"]["MemorySize"] == 1024
    assert variants_of(access, "base") == [ref.name]
    # The next session finds it without asking, whatever its setting says about making.
    assert open_target(variants="ask").function_for(_wish(4096)).name == ref.name
    assert target.function_for(_wish(512)).name == "base"


def test_a_plain_user_finds_a_variant(open_target: Any, own_account: Account) -> None:
    """With exactly the printed policy an existing one is used; to make one takes rights, which the error names."""
    name = open_target(variants="always").function_for(_wish(3072)).name
    policy = user_policy(
        partition="aws", region=own_account.access.region, account_id="123456789012", function="base", bucket=BUCKET
    )
    keys = own_account.person("user", policy)
    user = AwsAccess(
        region=own_account.access.region,
        endpoint_url=own_account.access.endpoint_url,
        access_key_id=keys["AWS_ACCESS_KEY_ID"],
        secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    with closing(AwsTarget(Settings(target="aws", function="base", bucket=BUCKET, variants="always"), user)) as target:
        assert target.function_for(_wish(3072)).name == name
        with pytest.raises(TargetError, match="create the function") as refused:
            target.function_for(_wish(3584))
    assert "lambda:CreateFunction" in refused.value.hint


def test_the_question_is_asked_once(open_target: Any) -> None:
    """Yes holds for all sizes of the session."""
    asked: list[str] = []
    target = open_target(ask=lambda text: asked.append(text) or True)
    assert target.function_for(_wish(3072)).memory_mb == 3072
    assert target.function_for(_wish(3072, 120)).timeout_s == 120
    assert len(asked) == 1 and "base has 1,024 MB and 60 s" in asked[0] and "3,072 MB" in asked[0]


@pytest.mark.parametrize("answer", [False, None])
def test_a_no_and_a_missing_prompt_are_one_clear_error(
    open_target: Any, access: AwsAccess, answer: bool | None
) -> None:
    """It names the setting; nothing is made, and a no is not asked again."""
    asked: list[str] = []
    target = open_target(ask=lambda text: asked.append(text) or answer)
    for _ in range(2):
        with pytest.raises(ConfigError, match="base has 1,024 MB and 60 s; this job needs 5,000 MB") as caught:
            target.function_for(_wish(5000))
    assert 'variants = "always"' in (caught.value.hint or "")
    assert len(asked) == (1 if answer is False else 2)
    with closing(access.client("lambda")) as client, pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=variant_name("base", 5000, 60, HERE))


def test_another_thread_does_not_prompt(open_target: Any) -> None:
    """The engine's threads may want a larger function too: they never wait for a keyboard."""
    caught: list[BaseException] = []
    target = open_target(ask=lambda text: pytest.fail("asked"))

    def run() -> None:
        try:
            target.function_for(_wish(6000))
        except ConfigError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert len(caught) == 1


def test_never_makes_none(open_target: Any) -> None:
    """The setting is named."""
    with pytest.raises(ConfigError, match="this job needs") as caught:
        open_target(variants="never", ask=lambda text: True).function_for(_wish(5000))
    assert "always" in (caught.value.hint or "")


def test_a_variant_follows_its_base(open_target: Any, access: AwsAccess, tmp_path: Path) -> None:
    """When the base's code and variables have changed, the next session brings the variant into step."""
    name = open_target(variants="always").function_for(_wish(2500)).name
    extra = tmp_path / "extra.py"
    extra.write_text("x = 1\n")
    (tmp_path / "built").mkdir()
    changed = build_package(LambdaPlatform(HERE), WheelSource(), folder=tmp_path / "built", paths=[extra])
    with closing(access.client("lambda")) as client:
        before = client.get_function_configuration(FunctionName="base")
        client.update_function_code(FunctionName="base", **code_argument(access, changed.code, bucket=BUCKET))
        client.update_function_configuration(
            FunctionName="base", Environment={"Variables": {**before["Environment"]["Variables"], "MINE": "2"}}
        )
        open_target().function_for(_wish(2500))
        found = client.get_function_configuration(FunctionName=name)
        assert found["CodeSha256"] == changed.code.code_sha256 != before["CodeSha256"]
        assert found["Environment"]["Variables"]["MINE"] == "2"
        assert (found["MemorySize"], found["Timeout"]) == (2500, 60)
        modified = found["LastModified"]
        open_target().function_for(_wish(2500))
        assert client.get_function_configuration(FunctionName=name)["LastModified"] == modified


def test_a_foreign_function_of_that_name_is_not_changed(open_target: Any, access: AwsAccess) -> None:
    """It is said so."""
    with closing(access.client("lambda")) as client:
        role = client.get_function_configuration(FunctionName="base")["Role"]
        name = variant_name("base", 7000, 60, HERE)
        client.create_function(
            FunctionName=name, Runtime=f"python{HERE}", Role=role, Handler="a.b", Code={"ZipFile": _zip()}
        )
        before = client.get_function_configuration(FunctionName=name)
        with pytest.raises(TargetError, match="lambdamagic did not create it as a variant of base"):
            open_target(variants="always").function_for(_wish(7000))
        assert client.get_function_configuration(FunctionName=name)["CodeSha256"] == before["CodeSha256"]


def test_code_that_cannot_be_downloaded(open_target: Any, access: AwsAccess) -> None:
    """A function whose package is not in the bucket, and whose code Lambda does not give out: deploy it again."""
    with closing(access.client("lambda")) as client:
        role = client.get_function_configuration(FunctionName="base")["Role"]
        client.create_function(
            FunctionName="by-hand", Runtime=f"python{HERE}", Role=role, Handler=HANDLER, Code={"ZipFile": _zip()}
        )
    with pytest.raises(PackageError, match="cannot download the code of by-hand") as caught:
        open_target("by-hand", variants="always").function_for(_wish(4096))
    assert "Deploy the function again" in (caught.value.hint or "")


def test_an_image_is_taken_over(open_target: Any, access: AwsAccess) -> None:
    """A variant of a function from an image runs the same image."""
    with closing(access.client("lambda")) as client, closing(access.client("ecr")) as ecr:
        uri = ecr.create_repository(repositoryName="images")["repository"]["repositoryUri"]
        ecr.put_image(repositoryName="images", imageTag="one", imageManifest=MANIFEST)
        role = client.get_function_configuration(FunctionName="base")["Role"]
        client.create_function(
            FunctionName="pictured", Role=role, PackageType="Image", Code={"ImageUri": f"{uri}:one"}, Timeout=60
        )
        ref = open_target("pictured", variants="always").function_for(_wish(4096))
        made, kept = client.get_function(FunctionName=ref.name), client.get_function(FunctionName="pictured")
    assert made["Configuration"]["PackageType"] == "Image" and made["Configuration"]["MemorySize"] == 4096
    assert made["Code"]["ImageUri"] == kept["Code"]["ResolvedImageUri"]  # the digest: a tag may have moved on


def test_other_protocol_and_python_are_reported_before_a_job(open_target: Any, access: AwsAccess) -> None:
    """What an image's function publishes is compared too, since it has no runtime of Lambda's to look at."""
    with closing(access.client("lambda")) as client:
        before = client.get_function_configuration(FunctionName="base")
        for holdings, words in (
            (Holdings("3.99", kind="image"), "runs Python 3.99, the notebook"),
            (Holdings(HERE, protocol=99, lambdamagic="7.0", made_by="lambdamagic update base"), r"protocol 99"),
        ):
            variables = {**before["Environment"]["Variables"], VARIABLE: pack(holdings)[0]}
            client.update_function_configuration(FunctionName="base", Environment={"Variables": variables})
            with pytest.raises(VersionMismatchError, match=words):
                open_target().function_for(_wish())
        client.update_function_configuration(FunctionName="base", Environment=before["Environment"])


def test_an_update_removes_the_layers_that_it_replaces(access: AwsAccess, package: Package, tmp_path: Path) -> None:
    """They count for the account's 75 GB of code; layers of others and the new ones stay."""
    layers = tuple(replace(layer, name=f"layered-{layer.kind}-x") for layer in package.layers)
    changed = tmp_path / "changed.zip"
    changed.write_bytes(layers[0].zip.path.read_bytes())
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr("python/more.txt", "more")
    after = (replace(layers[0], zip=facts_of(changed)), *layers[1:])
    with closing(access.client("iam")) as iam, closing(access.client("lambda")) as client:
        role = iam.create_role(RoleName="layered", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        functions, around = Functions(access), Surroundings(role, None)
        spec = FunctionSpec(name="layered", python=HERE)
        functions.create(spec, replace(package, layers=layers), around)
        old = client.list_layer_versions(LayerName=layers[0].name)["LayerVersions"]
        assert functions.update(spec, replace(package, layers=after), around, with_code=False) == ("configuration",)
        new = client.list_layer_versions(LayerName=layers[0].name)["LayerVersions"]
        used = [each["Arn"] for each in client.get_function_configuration(FunctionName="layered")["Layers"]]
    assert len(old) == len(new) == 1 and old != new
    assert new[0]["LayerVersionArn"] in used


def test_names_fit_and_stay_apart() -> None:
    """A name has 64 characters at most; what is cut off distinguishes bases."""
    names = {variant_name(base, 10240, 900, "3.12") for base in ("b" * 64, "b" * 63 + "c", "short")}
    assert len(names) == 3 and max(map(len, names)) <= 64


@pytest.mark.parametrize("length", [1, 30, 44, 45, 60, 64])
def test_names_match_what_the_policies_name(length: int) -> None:
    """Also where the name is cut: the user's policy and the invoker's know it, in the smallest and the largest size."""
    base = "b" * length
    where = {"partition": "aws", "region": "eu-central-1", "account_id": "123456789012"}
    patterns = [
        user_policy(**where, function=base, bucket="bucket")["Statement"][0]["Resource"],
        invoker_policy(**where, function=base)["Statement"][-1]["Resource"],
    ]
    for memory_mb, timeout_s in ((128, 1), (32768, 5400)):
        name = variant_name(base, memory_mb, timeout_s, "3.14")
        assert len(name) <= 64
        arn = f"arn:aws:lambda:eu-central-1:123456789012:function:{name}"
        for pattern in patterns:
            assert any(fnmatchcase(arn, each) for each in pattern)
        assert _is_own(name, base)
        assert not _is_own(name, base + "x")


def _zip() -> bytes:
    from tests.local.conftest import package

    return package({"x.py": ""})
