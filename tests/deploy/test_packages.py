"""What a function is made of: wheels for Lambda's platform, equal zip files for equal input, limits with their fix."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.model import HANDLER
from lambdamagic.deploy.packages import (
    LambdaPlatform,
    Package,
    WheelSource,
    _collect,
    build_package,
    code_argument,
    publish_holdings,
    publish_layer,
)
from lambdamagic.deploy.wheels import install_wheels
from lambdamagic.deploy.zips import tree, write_zip
from lambdamagic.errors import BucketMissingError, ConfigError, LocalServerError, PackageError
from lambdamagic.local.environments.unpacking import PackageStore, _unzip
from lambdamagic.local.local_server import LocalServer
from lambdamagic.protocol.holdings import VARIABLE, Holdings, pack, stored_key, unpack
from lambdamagic.pythons import python_here
from tests.deploy.wheels import make_sdist, make_wheel

HERE = LambdaPlatform(python_here())
TOOLS = pytest.mark.parametrize("tool", ["uv", "pip"])


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where packages come from."""
    folder = tmp_path / "index"
    for name, value in (("PIP_NO_INDEX", "1"), ("UV_OFFLINE", "1"), ("UV_CACHE_DIR", str(tmp_path / "uv"))):
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(folder))
    for name in ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    make_wheel(folder, "pure", "1.2", requires=("compiled",))
    compiled = {"cp312-cp312-manylinux_2_28_x86_64": "amd", "cp312-cp312-manylinux2014_aarch64": "arm"}
    compiled |= {"cp311-cp311-manylinux_2_17_x86_64": "old glibc", "cp311-cp311-manylinux_2_28_x86_64": "new glibc"}
    compiled |= {"cp312-cp312-macosx_11_0_arm64": "mac", "cp312-cp312-win_amd64": "windows"}
    compiled |= {"cp313-cp313-manylinux_2_28_x86_64": "the next Python"}
    for tag, what in compiled.items():
        make_wheel(folder, "compiled", "3.0", tag=tag, code=f"WHAT = {what!r}\n")
    return folder


def test_links_stay_links(tmp_path: Path) -> None:
    """A library next to its versioned name is not there twice, and Lambda finds the link; the embedded Lambda too."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "lib.so.1").write_bytes(b"x" * 1000)
    (folder / "lib.so").symlink_to("lib.so.1")
    facts = write_zip(tmp_path / "z.zip", tree(folder, "own/"))
    assert facts.unzipped_bytes == 1000 + len("lib.so.1")
    _unzip((tmp_path / "z.zip").read_bytes(), tmp_path / "task")
    assert (tmp_path / "task" / "own" / "lib.so").readlink() == Path("lib.so.1")
    assert (tmp_path / "task" / "own" / "lib.so").read_bytes() == b"x" * 1000


@pytest.mark.parametrize("to", ["/etc/passwd", "../outside", "inner/../../outside"])
def test_links_that_lead_out_are_refused(tmp_path: Path, to: str) -> None:
    """They would lead to nothing in Lambda, and to this machine's files in the embedded one."""
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "outside").write_text("secret")
    (folder / "link").symlink_to(to)
    with pytest.raises(PackageError, match="link is a symbolic link that leads out of its folder"):
        list(tree(folder))
    hostile = io.BytesIO()
    with zipfile.ZipFile(hostile, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, to)
    with pytest.raises(LocalServerError, match="leads out of it"):
        _unzip(hostile.getvalue(), tmp_path / "task")


def _with_entries(*entries: tuple[str, str, bool]) -> bytes:
    """Return a zip file of names and contents; of links the content is where they lead."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content, is_link in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = ((stat.S_IFLNK if is_link else stat.S_IFREG) | 0o777) << 16
            archive.writestr(info, content)
    return data.getvalue()


@pytest.mark.parametrize(
    "entries",
    [
        [("here", ".", True), ("here/here/out", "../../x", True), ("out/evil", "evil", False)],
        [("out", "a/b/../../../x", True), ("a", ".", True), ("b", ".", True), ("out/evil", "evil", False)],
        [("a/b/c/d", "x", False), ("in", "a/b/c", True), ("out", "in/../../../../x", True)],
        [("out", "../../x/evil", True), ("./out", "evil", True)],
        [("a/file", "x", False), ("here", ".", True), ("out", "here/here/here/../../../x", True)],
    ],
)
def test_links_through_links_do_not_lead_out(tmp_path: Path, entries: list[tuple[str, str, bool]]) -> None:
    """Each looks harmless by its name; together they would write next to the package."""
    (tmp_path / "x").mkdir()
    (tmp_path / "deep").mkdir()
    store, function = PackageStore(tmp_path / "deep"), SimpleNamespace(code_digest="d", package=_with_entries(*entries))
    for _ in range(2):
        with pytest.raises(LocalServerError, match="package"):
            store.task_root(function)  # type: ignore[arg-type]  # it reads no more of it
    assert [*(tmp_path / "x").iterdir()] == []


@pytest.mark.parametrize("to", ["link", "up/link", "."])
def test_links_in_a_circle_stay_links(tmp_path: Path, to: str) -> None:
    """They do no harm: Lambda has them too."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "up").symlink_to(".")
    (folder / "link").symlink_to(to)
    write_zip(tmp_path / "z.zip", tree(folder))
    _unzip((tmp_path / "z.zip").read_bytes(), tmp_path / "task")
    assert (tmp_path / "task" / "link").readlink() == Path(to)


def test_what_cannot_be_copied_is_named(tmp_path: Path) -> None:
    """A pipe in a package's folder is no traceback of the standard library's."""
    folder = tmp_path / "own"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with pytest.raises(PackageError, match="pipe"):
        _collect([folder], tmp_path / "there")
    (tmp_path / "there2").mkdir()
    with pytest.raises(PackageError, match="pipe"):
        _collect([folder / "pipe"], tmp_path / "there2")


def _build(folder: Path, platform: LambdaPlatform, *requirements: str, **more: object) -> Package:
    folder.mkdir()
    return build_package(platform, WheelSource(requirements), folder=folder, **more)  # type: ignore[arg-type]


@TOOLS
@pytest.mark.parametrize(
    ("python", "arch", "expected"),
    [("3.12", "x86_64", "amd"), ("3.12", "arm64", "arm"), ("3.11", "x86_64", "old glibc")],
)
def test_wheels_are_for_lambda_whatever_this_machine_is(
    index: Path, tmp_path: Path, tool: str, python: str, arch: str, expected: str
) -> None:
    """Python, architecture and glibc are the function's; Python 3.11 runs on Amazon Linux 2, whose glibc is older."""
    target = tmp_path / "wheels"
    install_wheels(WheelSource(("pure",)), LambdaPlatform(python, arch), target, installer=tool)  # type: ignore[arg-type]
    assert f"'{expected}'" in (target / "compiled.py").read_text()
    assert (target / "pure.py").exists()


@TOOLS
def test_all_packages_without_a_wheel_are_named(index: Path, tmp_path: Path, tool: str) -> None:
    """Both tools stop at the first; the error names each, and the command that fixes it. Nothing is built."""
    make_sdist(index, "sourceonly", "1.0")
    make_sdist(index, "another", "2.0")
    source = WheelSource(("sourceonly", "pure", "another>=1"))
    with pytest.raises(PackageError, match=r"no wheel for Python 3\.12 on x86_64") as caught:
        install_wheels(source, LambdaPlatform("3.12"), tmp_path / "wheels", installer=tool)  # type: ignore[arg-type]
    assert "sourceonly" in caught.value.message and "another" in caught.value.message
    assert "pure" not in caught.value.message
    assert "image build" in (caught.value.hint or "")


@TOOLS
def test_a_constraint_holds_for_what_comes_along(index: Path, tmp_path: Path, tool: str) -> None:
    """The notebook's own versions of indirect packages are kept; one that is not available is an error."""
    make_wheel(index, "compiled", "2.5")
    source = WheelSource(("pure",), constraints=("compiled==2.5",))
    install_wheels(source, LambdaPlatform("3.12"), tmp_path / "wheels", installer=tool)  # type: ignore[arg-type]
    assert "2.5" in (tmp_path / "wheels" / "compiled.py").read_text()


def test_the_same_input_gives_the_same_bytes(index: Path, tmp_path: Path) -> None:
    """Built twice, from files of other times: the digests agree, so an update sends nothing."""
    own = tmp_path / "own.py"
    own.write_text("VALUES = frozenset({'a', 'b', 'c', 'd'})\n")
    first = _build(tmp_path / "one", LambdaPlatform("3.12"), "pure", paths=[own])
    own.touch()
    second = _build(tmp_path / "two", LambdaPlatform("3.12"), "pure", paths=[own])
    assert first.code.sha256 == second.code.sha256
    assert [layer.zip.sha256 for layer in first.layers] == [layer.zip.sha256 for layer in second.layers]
    assert first.holdings == second.holdings
    own.write_text("VALUES = ()\n")
    third = _build(tmp_path / "three", LambdaPlatform("3.12"), "pure", paths=[own])
    assert third.code.sha256 != first.code.sha256
    assert [layer.zip.sha256 for layer in third.layers] == [layer.zip.sha256 for layer in first.layers]


def test_the_zip_has_no_trace_of_this_machine(index: Path, tmp_path: Path) -> None:
    """No time, owner or path of the machine is in it, and no script or record; what it holds is reported next to it."""
    package = _build(tmp_path / "built", HERE, "pure==1.2")
    with zipfile.ZipFile(package.layers[1].zip.path) as archive:
        names = archive.namelist()
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not any(str(tmp_path).encode() in archive.read(name) for name in names)
    assert not any(name.endswith(("RECORD", "INSTALLER")) or "/bin/" in name for name in names)
    assert any(name.endswith(".pyc") for name in names) and package.is_compiled
    assert package.holdings.packages["compiled"] == "3.0"
    assert {"dill", "cloudpickle"} <= set(package.holdings.packages)


def test_the_agent_is_enough_for_the_handler(index: Path, tmp_path: Path) -> None:
    """With only the agent's layer on the path the handler's modules load, and none of the notebook's side is there."""
    package = _build(tmp_path / "built", HERE)
    with zipfile.ZipFile(package.layers[0].zip.path) as archive:
        archive.extractall(tmp_path / "opt")
    code = (
        "import sys, pkgutil, importlib, lambdamagic.worker.handler\n"
        "import lambdamagic.worker, lambdamagic.codec, lambdamagic.storage, lambdamagic.aws, lambdamagic.protocol\n"
        "l = lambdamagic\n"
        "for package in (l.worker, l.codec, l.storage, l.aws, l.protocol):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if found.name not in ('lambdamagic.worker.inline_figures', 'lambdamagic.worker.shell'):\n"
        "            importlib.import_module(found.name)\n"  # those two load with matplotlib and IPython, if at all
        "import dill, cloudpickle\n"
        "assert all(module.__file__.startswith(sys.argv[1]) for name, module in sys.modules.items()\n"
        "           if name.split('.')[0] in ('lambdamagic', 'dill', 'cloudpickle')), sys.modules\n"
        "print(sorted(name for name in sys.modules if name.startswith('lambdamagic')))\n"
    )
    # -S: this environment's packages are not there; the one of the layer are.
    command = [sys.executable, "-S", "-P", "-c", code, str(tmp_path / "opt")]
    environment = {"PYTHONPATH": str(tmp_path / "opt" / "python")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not any(f"lambdamagic.{part}" in done.stdout for part in ("magics", "jobs", "local", "targets", "deploy"))


def test_over_250_mb_names_the_largest_and_the_image(index: Path, tmp_path: Path) -> None:
    """Lambda's limit is checked here, before anything is uploaded."""
    big = index / "big-1.0-py3-none-any.whl"
    make_wheel(index, "big", "1.0")
    with zipfile.ZipFile(big, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("big_data/x.bin", "w") as file:
        for _ in range(252):
            file.write(bytes(1 << 20))
    with pytest.raises(PackageError, match=r"unzipped .* limit is 250 MB .*big_data 252 MB") as caught:
        _build(tmp_path / "built", HERE, "big")
    assert "lambdamagic image build" in (caught.value.hint or "")
    own = tmp_path / "own"
    own.mkdir()
    with (own / "data.bin").open("wb") as file:
        file.truncate(251 << 20)
    with pytest.raises(PackageError, match=r"largest: own 251 MB"):
        _build(tmp_path / "built too", HERE, paths=[own])


def test_missing_and_clashing_paths_are_reported(index: Path, tmp_path: Path) -> None:
    """Both are named."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "m.py").touch()
    (tmp_path / "m.py").touch()
    with pytest.raises(ConfigError, match="no file or folder"):
        _build(tmp_path / "one", HERE, paths=[tmp_path / "nowhere.py"])
    with pytest.raises(ConfigError, match=r"two paths have the name 'm.py'"):
        _build(tmp_path / "two", HERE, paths=[tmp_path / "m.py", tmp_path / "a" / "m.py"])


def test_a_runtime_that_lambda_does_not_have() -> None:
    """It is named, with those that there are."""
    with pytest.raises(ConfigError, match=r"Python 3\.7"):
        LambdaPlatform("3.7")
    with pytest.raises(ConfigError, match="riscv"):
        LambdaPlatform("3.12", "riscv")  # type: ignore[arg-type]


def test_a_long_list_is_published_through_the_bucket() -> None:
    """A variable has room for a short list; of a long one it holds the digest, and a changed document is refused."""
    short = Holdings("3.12", {"numpy": "2.3.1"}, requested=("numpy==2.3.1",))
    value, document = pack(short)
    assert document is None
    assert unpack(value, lambda key: pytest.fail("nothing to fetch")) == short
    from random import Random

    rng = Random(1)
    many = {f"p{rng.getrandbits(64):x}": f"{rng.getrandbits(20)}.{n}" for n in range(200)}
    value, document = pack(Holdings("3.12", many))
    assert document is not None and len(value) < 100
    kept = {stored_key(value): document}
    assert unpack(value, lambda key: kept[key]).packages == many
    from lambdamagic.errors import ProtocolError

    with pytest.raises(ProtocolError, match="was changed"):
        unpack(value, lambda key: document.replace(b"3.12", b"3.13"))
    for broken in ("1:%%%", "1:", "9:x", "1:eJw="):
        with pytest.raises(ProtocolError):
            unpack(broken, lambda key: b"")


# On the embedded Lambda.


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer.start() as started:
        yield started


@pytest.fixture(scope="module")
def access(server: LocalServer) -> AwsAccess:
    connection = server.connection
    return AwsAccess(
        region=connection.region,
        endpoint_url=connection.endpoint_url,
        access_key_id=connection.access_key_id,
        secret_access_key=connection.secret_access_key,
    )


def test_a_function_from_its_layers(index: Path, tmp_path: Path, access: AwsAccess) -> None:
    """Made through the bucket; lambdamagic and the package come from the layers, the module from the code."""
    make_wheel(index, "answer", "4.2", code="ANSWER = 42\n")
    own = tmp_path / "ownmodule.py"
    own.write_text("import answer\n\ndef handler(event, context):\n    import lambdamagic, dill\n")
    own.write_text(
        own.read_text() + "    return [answer.ANSWER, answer.__file__, lambdamagic.__file__, dill.__file__, __file__]\n"
    )
    package = _build(tmp_path / "built", HERE, "answer", paths=[own], made_by="lambdamagic update layered")
    with closing(access.client("s3")) as s3, closing(access.client("lambda")) as client:
        s3.create_bucket(Bucket="packages")
        before = access, package.layers, "packages"
        arns = [publish_layer(access, layer, package.platform, bucket="packages") for layer in package.layers]
        again = [publish_layer(access, layer, package.platform, bucket="packages") for layer in package.layers]
        assert arns == again and before[1] == package.layers
        variables = publish_holdings(access, package.holdings, bucket="packages")
        role = _role(access)
        client.create_function(
            FunctionName="layered",
            Runtime=package.platform.runtime,
            Role=role,
            Handler="ownmodule.handler",
            Code=code_argument(access, package.code, bucket="packages"),
            Layers=arns,
            Environment={"Variables": variables},
            Timeout=30,
        )
        answer = client.invoke(FunctionName="layered")
        found = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, found
        configuration = client.get_function_configuration(FunctionName="layered")
        assert configuration["CodeSha256"] == package.code.code_sha256
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket="packages")["Contents"]]
    assert found.startswith("[42, ")
    assert found.count("/layer-") == 3 and found.count("/task-") == 1, found
    assert len(keys) == 3
    shown = unpack(configuration["Environment"]["Variables"][VARIABLE], lambda key: b"")
    assert shown == package.holdings and shown.packages["answer"] == "4.2"


def test_a_missing_bucket(tmp_path: Path, access: AwsAccess) -> None:
    """It is named, with what to do."""
    facts = write_zip(tmp_path / "x.zip", [("a.txt", b"a")])
    with pytest.raises(BucketMissingError, match="no-such-bucket"):
        code_argument(access, facts, bucket="no-such-bucket")


def test_too_large_to_be_sent_directly(tmp_path: Path, access: AwsAccess) -> None:
    """Above 50 MB the API refuses; it is reported before, with the fix."""
    from random import Random

    facts = write_zip(tmp_path / "x.zip", [("a.bin", Random(1).randbytes(51 << 20))])
    with pytest.raises(PackageError, match="MB zipped") as caught:
        code_argument(access, facts, bucket=None)
    assert "bucket" in (caught.value.hint or "")


def _role(access: AwsAccess) -> str:
    with closing(access.client("iam")) as iam:
        return str(iam.create_role(RoleName="packages", AssumeRolePolicyDocument="{}")["Role"]["Arn"])


def test_a_zip_file_says_its_unzipped_size(tmp_path: Path) -> None:
    """Which is what Lambda's limit is about."""
    facts = write_zip(tmp_path / "x.zip", [("a", b"0" * 1000), ("b", b"1" * 10)])
    assert facts.unzipped_bytes == 1010 and zipfile.ZipFile(io.BytesIO(facts.path.read_bytes())).testzip() is None
    assert HANDLER == "lambdamagic.worker.handler.handler"
