"""`lambdamagic image push` into a real registry that has ECR's name, from two machines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from lambdamagic.deploy.container_tools import ContainerTool
from lambdamagic.deploy.images import Image
from lambdamagic.local.local_server import LocalServer
from tests.certificates import self_signed
from tests.cli.calling import Done, run
from tests.deploy.accounts import Account
from tests.images.registry import ECR_PASSWORD, ask, registry
from tests.tcp_proxy import TcpProxy, tcp_proxy

pytestmark = pytest.mark.timeout(900)  # debootstrap alone takes 90 s the first time

_HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@dataclass
class Ecr:
    """The registry that stands for ECR's, and the embedded Lambda's list of what it has."""

    account: Account
    address: str
    certificate: Path
    proxy: TcpProxy
    engine: ContainerTool

    def machine(self, home: Path, *arguments: str) -> Done:
        """Run a command of a person's, on whose machine ECR's name leads to the registry."""
        home.mkdir(exist_ok=True)
        if not (home / "auth.json").exists():  # buildah wants it to be there
            (home / "auth.json").write_text("{}")
        options = [f"--engine-option={option}" for option in self.engine.command[1:]]
        engine = ["--engine", "buildah", *options] if arguments[0] == "image" else []
        return run(
            home,
            *arguments,
            *engine,
            environment={
                **self.account.connection.environment(),
                "XDG_CACHE_HOME": str(home / "cache"),
                "REGISTRY_AUTH_FILE": str(home / "auth.json"),
                "https_proxy": f"http://127.0.0.1:{self.proxy.port}",
                "no_proxy": "127.0.0.1",
                "SSL_CERT_FILE": str(self.certificate),
            },
        )

    def push(self, home: Path, image: str) -> str:
        """Push as a command, have the account list what the registry has now, as ECR does, and return the URI."""
        done = self.machine(home, "image", "push", image)
        assert done.status == 0, done
        tags = json.loads(self._ask("lambdamagic/tags/list"))["tags"]
        with closing(self.account.access.client("ecr")) as ecr:
            pages = ecr.get_paginator("describe_images").paginate(repositoryName="lambdamagic")
            known = {tag for page in pages for each in page["imageDetails"] for tag in each.get("imageTags", ())}
            for tag in sorted({*tags} - known):
                digest, manifest = self._ask_manifest(tag)
                ecr.put_image(
                    repositoryName="lambdamagic", imageTag=tag, imageDigest=digest, imageManifest=manifest.decode()
                )
        return done.out.strip()

    def listed(self) -> dict[str, list[str]]:
        """Return the tags of each image that the account lists."""
        with closing(self.account.access.client("ecr")) as ecr:
            pages = ecr.get_paginator("describe_images").paginate(repositoryName="lambdamagic")
            return {each["imageDigest"]: each.get("imageTags", []) for page in pages for each in page["imageDetails"]}

    def _ask(self, path: str) -> bytes:
        return ask(self.address, path, password=ECR_PASSWORD, certificate=self.certificate)[1]

    def _ask_manifest(self, tag: str) -> tuple[str, bytes]:
        return ask(self.address, f"lambdamagic/manifests/{tag}", password=ECR_PASSWORD, certificate=self.certificate)


@pytest.fixture(scope="module")
def ecr(engine: ContainerTool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ecr]:
    if shutil.which("docker-registry") is None:
        if os.environ.get("CI"):
            pytest.fail("docker-registry is not installed (`make image-tools`)")
        pytest.skip("docker-registry is not installed (`make image-tools`)")
    folder = tmp_path_factory.mktemp("registry")
    certificate = self_signed(folder / "both.pem", _HOST)
    with (
        registry(folder, certificate=certificate) as address,
        tcp_proxy(int(address.rpartition(":")[2])) as proxy,
        LocalServer.start() as server,
    ):
        yield Ecr(Account(server), address, certificate, proxy, engine)


def _varied(engine: ContainerTool, image: str, name: str) -> str:
    """Make an image of other content, as a build at another time or place does, and return its name."""
    container = engine.run(["from", "--pull-never", image], doing="vary").strip().splitlines()[-1]
    engine.run(["config", "--label", f"variation={name}", container], doing="vary")
    engine.run(["commit", "--rm", "--format", "docker", container, f"localhost/{name}"], doing="vary")
    return f"localhost/{name}"


@pytest.mark.timeout(900)
def test_an_image_is_pushed_by_the_command_from_two_machines(ecr: Ecr, handler_image: Image, tmp_path: Path) -> None:
    """Tags are of the content, functions are made of the digest, and what a function runs never expires."""
    first, second = tmp_path / "first", tmp_path / "second"
    name = _varied(ecr.engine, handler_image.name, "ours:py")
    uri = ecr.push(first, name)
    repository, _, digest = uri.partition("@")
    assert repository == f"{_HOST}/lambdamagic" and ecr.proxy.asked[-1] == f"{_HOST}:443"
    (tag,) = ecr.listed()[digest]
    assert tag.startswith("py-")
    again = ecr.machine(first, "image", "push", name)
    assert again.out.strip() == uri and f"lambdamagic:{tag} was pushed before" in again.err

    # The same name with other content, built on another machine: another tag, and the first image stays as it is.
    other = ecr.push(second, _varied(ecr.engine, name, "ours:py"))
    assert other != uri
    (others_tag,) = ecr.listed()[other.partition("@")[2]]
    assert others_tag.startswith("py-") and others_tag != tag and ecr.listed()[digest] == [tag]

    # A function on each machine, of the other's image, by its tag: it is made of the digest.
    role = ecr.account.ask("iam", "create_role", RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    for home, function, image in (
        (second, "of-first", f"{repository}:{tag}"),
        (first, "of-second", f"{repository}:{others_tag}"),
    ):
        made = ecr.machine(
            home, "create", function, "--package", "image", "--image", image, "--role", role, "--bucket", "none-needed"
        )
        assert made.status == 0, made
    code = ecr.account.ask("lambda", "get_function", FunctionName="of-first")["Code"]
    assert code["ImageUri"] == uri

    # Five newer ones: both stay, since functions run them; a seventh lets the oldest of those go that none uses.
    uris = [ecr.push(first, _varied(ecr.engine, name, f"more:{number}")) for number in range(6)]
    assert ecr.machine(second, "image", "push", "localhost/more:5").status == 0
    left = {*ecr.listed()}
    assert {digest, other.partition("@")[2]} <= left
    assert uris[0].partition("@")[2] not in left and {each.partition("@")[2] for each in uris[1:]} <= left


def test_no_password_is_in_what_is_run_or_left(ecr: Ecr, handler_image: Image, tmp_path: Path) -> None:
    """The login goes to the tool by standard input."""
    home = tmp_path / "person"
    assert ecr.machine(home, "image", "push", handler_image.name).status == 0
    done = ecr.machine(home, "image", "push", handler_image.name)
    assert ECR_PASSWORD not in done.out + done.err
    subprocess.run(
        [*ecr.engine.command, "logout", "--authfile", str(home / "auth.json"), _HOST], check=True, capture_output=True
    )
