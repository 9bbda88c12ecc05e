"""`lambdamagic image test`: the image's own entry point on the embedded Lambda, and a real cell in it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import ResolvedSettings, Settings
from lambdamagic.deploy.container_tools import ContainerTool
from lambdamagic.deploy.image_run import create_image_function, image_command
from lambdamagic.deploy.images import inspect_image
from lambdamagic.deploy.parity import check_base
from lambdamagic.doctor.probe import run_cell
from lambdamagic.errors import ImageError
from lambdamagic.local.local_server import LocalServer
from lambdamagic.pythons import python_here
from lambdamagic.targets.aws_target import AwsTarget

_FUNCTION, _BUCKET = "lambdamagic-image-test", "lambdamagic-image-test"
_INIT_TIMEOUT_S = 60.0  # an engine takes seconds to start what Lambda has ready

PROBE = """
import lambdamagic, os, platform, sys

numbers.append(sum(numbers))
python = platform.python_version()
where = lambdamagic.__file__
user = os.geteuid()
system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
size = len(blob)
"""


@dataclass(frozen=True, slots=True)
class ImageTest:
    """The result of an image's test.

    Attributes:
        python: Its full Python version.
        system: Its operating system's name.
        where: Where lambdamagic was imported from.
        init_ms: How long INIT took, engine included.
        elapsed_s: How long the cell took, there and back.
        bound: What `source` bound, where one was given.
    """

    python: str
    system: str
    where: str
    init_ms: float
    elapsed_s: float
    bound: dict[str, Any]


def try_image(engine: ContainerTool, name: str, *, source: str = "") -> ImageTest:
    """Run a cell in an image on an embedded Lambda that is started for it.

    A list is changed in place, a large value goes through the bucket, and what the cell sees of its surroundings must
    be the image's.

    Args:
        engine: The tool that has the image.
        name: The image.
        source: A further cell to run there.

    Raises:
        ImageError: The image is not lambdamagic's, or the cell did not run in it.
        VersionMismatchError: Its Python or protocol is not the one of here.
        LambdaMagicError: The cell failed there.
    """
    image = inspect_image(engine, name)
    check_base(image.holdings, function=f"in the image {name}", python=python_here())
    settings = Settings(target="aws", function=_FUNCTION, bucket=_BUCKET)
    resolved = ResolvedSettings(settings, {})
    with (
        image_command(engine, name) as command,
        LocalServer.start(image_command=command, init_timeout_s=_INIT_TIMEOUT_S) as server,
    ):
        connection = server.connection
        access = AwsAccess(
            region=connection.region,
            endpoint_url=connection.endpoint_url,
            access_key_id=connection.access_key_id,
            secret_access_key=connection.secret_access_key,
        )
        with closing(access.client("s3")) as s3, closing(access.client("iam")) as iam:
            s3.create_bucket(Bucket=_BUCKET)
            role = iam.create_role(RoleName=_FUNCTION, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        create_image_function(access, _FUNCTION, role=role, timeout_s=120)
        target = AwsTarget(settings, access)
        try:
            numbers = [1, 2, 3]
            first = run_cell(target, resolved, PROBE, numbers=numbers, blob=bytes(5_000_000))
            further = run_cell(target, resolved, source).bound if source else {}
        finally:
            target.close()
    seen = first.bound
    if not str(seen["where"]).startswith("/var/task/"):
        raise ImageError(f"the cell ran outside the image: lambdamagic was imported from {seen['where']}")
    if seen["size"] != 5_000_000:
        raise ImageError(f"a value of 5,000,000 bytes arrived with {seen['size']}")
    init_ms = (first.report.init_ms if first.report else None) or 0.0
    return ImageTest(seen["python"], seen["system"], seen["where"], init_ms, first.elapsed_s, further)
