"""Functions from images publish what they hold, if the image was pushed from here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lambdamagic.deploy.assemble import assemble
from lambdamagic.deploy.managed import Functions, Surroundings, spec_of
from lambdamagic.deploy.model import FunctionSpec
from lambdamagic.deploy.packages import WheelSource
from lambdamagic.deploy.parity import check_parity
from lambdamagic.deploy.pushed import note_pushed, pushed_holdings
from lambdamagic.errors import ParityError
from lambdamagic.protocol.holdings import VARIABLE, Holdings, unpack
from lambdamagic.pythons import python_here
from tests.deploy.accounts import Account

HELD = Holdings(python_here(), {"packaging": "1.0"}, kind="image", lambdamagic="0.1.0")
_CONFIG = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": "sha256:" + "4" * 64}


def _manifest(layer: str) -> str:
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    layers = [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": layer}]
    return json.dumps({"schemaVersion": 2, "mediaType": kind, "config": _CONFIG, "layers": layers})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def images(account_of_all: Account) -> Iterator[list[str]]:
    """Two images of a repository, by their digests."""
    with closing(account_of_all.access.client("ecr")) as ecr:
        uri = ecr.create_repository(repositoryName="images")["repository"]["repositoryUri"]
        put = [
            ecr.put_image(repositoryName="images", imageTag=f"v{one}", imageManifest=_manifest(f"sha256:{one * 64}"))
            for one in "12"
        ]
        yield [f"{uri}@{each['image']['imageId']['imageDigest']}" for each in put]


@pytest.fixture
def around(account: Account) -> Surroundings:
    with closing(account.access.client("iam")) as iam:
        try:
            role = iam.get_role(RoleName="images")["Role"]
        except iam.exceptions.NoSuchEntityException:
            role = iam.create_role(RoleName="images", AssumeRolePolicyDocument="{}")["Role"]
    return Surroundings(role["Arn"], None)


def _variables(functions: Functions, name: str) -> dict[str, str]:
    found = functions.find(name).facts.configuration
    return dict((found.get("Environment") or {}).get("Variables", {}))


def test_a_function_publishes_what_its_image_holds(account, images, around):
    """It is compared before a job is sent, and the error says how to build an image that has it."""
    note_pushed(images[0], HELD)
    functions = Functions(account.access)
    functions.create(FunctionSpec(name="pictured", python=python_here(), image=images[0]), None, around)
    held = unpack(_variables(functions, "pictured")[VARIABLE], lambda _: b"")
    assert (held.packages, held.kind) == ({"packaging": "1.0"}, "image")
    with pytest.raises(ParityError, match=r"packaging is [\d.]+ here and 1.0 there") as caught:
        check_parity(["packaging.version"], held, function="pictured")
    assert "lambdamagic image build --with 'packaging" in (caught.value.hint or "")
    assert "`lambdamagic update pictured --image URI`" in (caught.value.hint or "")


def test_changes_follow_the_image(account, images, around):
    """A change of memory keeps image and list; another image brings its own list, or none if it is not known here."""
    note_pushed(images[0], HELD)
    functions = Functions(account.access)
    functions.create(FunctionSpec(name="changing", python=python_here(), image=images[0]), None, around)
    spec = spec_of(functions.find("changing"), {"memory_mb": 3008})
    assert functions.update(spec, None, around, with_code=False) == ("configuration",)
    assert VARIABLE in _variables(functions, "changing")
    spec = spec_of(functions.find("changing"), {"image": images[1]})
    assert functions.update(spec, None, around, with_code=False) == ("code", "configuration")
    assert VARIABLE not in _variables(functions, "changing")
    assert functions.find("changing").image == images[1]


def test_a_list_from_elsewhere_stays(account, images, around, tmp_path, monkeypatch):
    """Who changes the memory from another machine does not know what the image holds, and takes nothing away."""
    note_pushed(images[0], HELD)
    functions = Functions(account.access)
    functions.create(FunctionSpec(name="elsewhere", python=python_here(), image=images[0]), None, around)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    spec = spec_of(functions.find("elsewhere"), {"memory_mb": 3008})
    assert functions.update(spec, None, around, with_code=False) == ("configuration",)
    assert VARIABLE in _variables(functions, "elsewhere")


def test_a_deployment_from_an_image(account, images, tmp_path):
    """The stack's function has the list in its variables."""
    note_pushed(images[0], HELD)
    given = {"image": images[0], "python": python_here()}
    spec, code = assemble(account.access, "shown", given, source=WheelSource(), folder=tmp_path)
    assert code is None
    held = unpack(spec.function.own_environment[VARIABLE], lambda _: b"")
    assert held.packages == HELD.packages and held.made_by == "lambdamagic deploy shown --image URI"


def test_only_a_digest_names_an_image(images):
    """A tag may have moved on since; a damaged file is ignored."""
    tagged = images[0].partition("@")[0] + ":v1"
    note_pushed(tagged, HELD)
    assert pushed_holdings(tagged, made_by="") is None
    assert pushed_holdings(images[0], made_by="") is None
    note_pushed(images[0], HELD)
    assert pushed_holdings(images[0], made_by="") == HELD
