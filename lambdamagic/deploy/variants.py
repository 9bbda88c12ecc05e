"""Variants: copies of a function in another size, created on demand and kept in step with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import explained
from lambdamagic.deploy.functions import FunctionFacts, has_snapstart, variant_name, wait_until_ready
from lambdamagic.deploy.model import FUNCTION_TAG, LIVE_ALIAS
from lambdamagic.deploy.packages import code_argument, key_of_code
from lambdamagic.deploy.zips import facts_of
from lambdamagic.errors import FunctionMissingError, PackageError, TargetError
from lambdamagic.protocol.keys import variant_prefix
from lambdamagic.storage.object_store import TransferError

TAG = "lambdamagic:variant-of"

#: Taken over as they are. What Lambda answers in another shape than it takes is in `_configuration`.
_SAME = ("Runtime", "Role", "Handler", "MemorySize", "Timeout", "KMSKeyArn", "FileSystemConfigs", "EphemeralStorage")
_WHEN_DENIED = (
    "Allow lambda:GetFunction, lambda:CreateFunction, lambda:TagResource and iam:PassRole on the function's role (with "
    "SnapStart also lambda:PublishVersion, GetAlias, CreateAlias, UpdateAlias and DeleteFunction); or "
    'keep to its own size (setting variants = "never")'
)


@dataclass(frozen=True, slots=True)
class Base:
    """The function that variants are made of.

    Attributes:
        name: Its bare name.
        configuration: Lambda's `Configuration` of it.
        code: Lambda's `Code` of it.
        tags: Its tags; None where these credentials may see its configuration only, as those of a plain user.
    """

    name: str
    configuration: Mapping[str, Any]
    code: Mapping[str, Any]
    tags: Mapping[str, str] | None


class VariantMaker:
    """Finds and makes the variants of one function. Not thread-safe.

    Args:
        access: The account.
        function: The function's name or ARN, as the settings give it.
        bucket: Where packages are kept, if there is one.
    """

    def __init__(self, access: AwsAccess, function: str, *, bucket: str | None) -> None:
        self._access, self._function, self._bucket = access, function, bucket
        self._base: Base | None = None

    def name(self, base: FunctionFacts, memory_mb: int, timeout_s: int, python: str) -> str:
        """Return the variant's name."""
        return variant_name(str(base.configuration["FunctionName"]), memory_mb, timeout_s, python)

    def find(self, name: str, memory_mb: int, timeout_s: int) -> FunctionFacts | None:
        """Return a variant brought into step with its base, or None if there is none yet.

        Raises:
            TargetError: A function of that name is not lambdamagic's, or these credentials may not look.
        """
        with _calling(self._access, f"look at the function {name}", name) as client:
            base = self._read_base(client)
            is_snapped = has_snapstart(base.configuration)
            live = _get(client, f"{name}:{LIVE_ALIAS}") if is_snapped else None
            found = live or _get(client, name)
            if found is None:
                return None
            if found.tags is not None and found.tags.get(TAG) != base.name:
                raise TargetError(
                    f"a function {name} exists, but lambdamagic did not create it as a variant of {base.name}",
                    hint="Rename or delete it, or ask for another size",
                )
            is_changed = self._keep_in_step(client, base, found, _configuration(base, memory_mb, timeout_s))
            if is_snapped:
                return _published(client, name, is_changed=is_changed or live is None)
            return _facts(client, name)

    def make(self, name: str, memory_mb: int, timeout_s: int) -> FunctionFacts:
        """Create a variant, and wait until it is active. An idle variant costs nothing, except with SnapStart.

        Raises:
            PackageError: The base's code cannot be downloaded.
            TargetError: It cannot be made; says which rights it takes.
        """
        with _calling(self._access, f"create the function {name}", name) as client:
            base = self._read_base(client)
            known = client.get_function(FunctionName=base.name).get("Tags", {}) if base.tags is None else base.tags
            tags = {key: value for key, value in known.items() if not key.startswith("aws:")}
            try:
                client.create_function(
                    FunctionName=name,
                    Code=self._code(base),
                    Tags={**tags, **FUNCTION_TAG, TAG: base.name},
                    PackageType=base.configuration.get("PackageType", "Zip"),
                    Architectures=base.configuration.get("Architectures", ["x86_64"]),
                    **_configuration(base, memory_mb, timeout_s),
                )
            except client.exceptions.ResourceConflictException:
                pass  # another session made it meanwhile
            is_snapped = has_snapstart(base.configuration)
            return _published(client, name, is_changed=True) if is_snapped else _facts(client, name)

    def _read_base(self, client: Any) -> Base:
        if self._base is None:
            found = _get(client, self._function)
            if found is None:
                raise FunctionMissingError(f"no function {self._function!r} in this account and region")
            self._base = found
        return self._base

    def _keep_in_step(self, client: Any, base: Base, variant: Base, wanted: dict[str, Any]) -> bool:
        """Give a variant the base's code and configuration; return whether they differed."""
        is_changed = False
        if variant.configuration.get("CodeSha256") != base.configuration.get("CodeSha256"):
            client.update_function_code(
                FunctionName=variant.name,
                Architectures=base.configuration.get("Architectures", ["x86_64"]),
                **self._code(base),
            )
            wait_until_ready(client, variant.name)
            is_changed = True
        if has_snapstart(variant.configuration):
            wanted.setdefault("SnapStart", {"ApplyOn": "None"})
        memory_mb, timeout_s = wanted["MemorySize"], wanted["Timeout"]
        if _configuration(variant, memory_mb, timeout_s) != wanted:
            client.update_function_configuration(FunctionName=variant.name, **wanted)
            wait_until_ready(client, variant.name)
            is_changed = True
        return is_changed

    def _code(self, base: Base) -> dict[str, Any]:
        """Return the base's code: its image, its package in the bucket, or what Lambda itself keeps."""
        if base.configuration.get("PackageType") == "Image":
            return {"ImageUri": base.code.get("ResolvedImageUri") or base.code["ImageUri"]}
        if self._bucket is not None:
            key = key_of_code(base.configuration["CodeSha256"])
            from botocore.exceptions import ClientError

            with closing(self._access.client("s3")) as s3:
                try:
                    s3.head_object(Bucket=self._bucket, Key=key)
                    return {"S3Bucket": self._bucket, "S3Key": key}
                except ClientError:
                    pass  # it was not put there by us, or we may not look: Lambda has it too
        return self._downloaded(base)

    def _downloaded(self, base: Base) -> dict[str, Any]:
        from lambdamagic.storage.presigned import fetch

        with tempfile.TemporaryDirectory(prefix="lambdamagic-") as folder:
            path = Path(folder) / "code.zip"
            try:
                path.write_bytes(fetch(str(base.code.get("Location", ""))))
            except (OSError, ValueError, TransferError) as error:
                raise PackageError(
                    f"cannot download the code of {base.name} to create a variant: {error}",
                    hint="Deploy the function again with lambdamagic, which keeps its package in the bucket",
                ) from error
            return code_argument(self._access, facts_of(path), bucket=self._bucket)


def variants_of(access: AwsAccess, name: str) -> list[str]:
    """Return the names of a function's variants, which are deleted with it.

    Raises:
        TargetError: These credentials may not list functions.
    """
    found = []
    with _calling(access, "list functions", name) as client:
        for page in client.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                if function["FunctionName"].startswith(f"{variant_prefix(name)}-py3"):  # what the policies name
                    tags = client.list_tags(Resource=function["FunctionArn"])["Tags"]
                    if tags.get(TAG) == name:
                        found.append(function["FunctionName"])
    return found


def _configuration(base: Base, memory_mb: int, timeout_s: int) -> dict[str, Any]:
    """Return CreateFunction's arguments for a copy of the base, from GetFunction's response."""
    source = base.configuration
    wanted: dict[str, Any] = {name: source[name] for name in _SAME if source.get(name)}
    wanted.update(MemorySize=memory_mb, Timeout=timeout_s)
    wanted["Environment"] = {"Variables": (source.get("Environment") or {}).get("Variables", {})}
    wanted["Layers"] = [layer["Arn"] for layer in source.get("Layers") or ()]
    if has_snapstart(source):
        wanted["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    network = source.get("VpcConfig") or {}
    if network.get("SubnetIds"):
        wanted["VpcConfig"] = {name: network[name] for name in ("SubnetIds", "SecurityGroupIds") if name in network}
    if (source.get("DeadLetterConfig") or {}).get("TargetArn"):
        wanted["DeadLetterConfig"] = source["DeadLetterConfig"]
    if (source.get("TracingConfig") or {}).get("Mode") == "Active":
        wanted["TracingConfig"] = {"Mode": "Active"}
    if source.get("PackageType") == "Image":
        image = (source.get("ImageConfigResponse") or {}).get("ImageConfig")
        for name in ("Runtime", "Handler", "Layers"):
            wanted.pop(name, None)
        if image:
            wanted["ImageConfig"] = image
    group = (source.get("LoggingConfig") or {}).get("LogGroup")
    if group:
        # The base's own group: its retention is set, and the role may write there.
        wanted["LoggingConfig"] = {"LogFormat": source["LoggingConfig"].get("LogFormat", "Text"), "LogGroup": group}
    return wanted


def _get(client: Any, name: str) -> Base | None:
    try:
        found = _seen(client, name)
    except client.exceptions.ResourceNotFoundException:
        return None
    configuration = found["Configuration"]
    return Base(str(configuration["FunctionName"]), configuration, found.get("Code", {}), found["Tags"])


def _seen(client: Any, name: str) -> dict[str, Any]:
    """Return GetFunction's answer, or as much of it as whoever may only run jobs can see."""
    from botocore.exceptions import ClientError

    try:
        return {"Tags": {}, **client.get_function(FunctionName=name)}
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "AccessDeniedException":
            raise
    return {"Configuration": client.get_function_configuration(FunctionName=name), "Tags": None}


def _published(client: Any, name: str, *, is_changed: bool) -> FunctionFacts:
    """Return the facts of a variant with SnapStart, which is invoked by an alias as its base is.

    Args:
        client: Lambda's.
        name: The variant's name.
        is_changed: Whether another version is to be published; the one before goes, since its snapshot is billed.
    """
    if is_changed:
        wait_until_ready(client, name)
        version = client.publish_version(FunctionName=name)["Version"]
        wait_until_ready(client, f"{name}:{version}")
        wanted = {"FunctionName": name, "Name": LIVE_ALIAS, "FunctionVersion": version}
        try:
            before = client.get_alias(FunctionName=name, Name=LIVE_ALIAS)["FunctionVersion"]
        except client.exceptions.ResourceNotFoundException:
            client.create_alias(**wanted)
        else:
            if before != version:
                client.update_alias(**wanted)
                client.delete_function(FunctionName=name, Qualifier=before)
    return _facts(client, f"{name}:{LIVE_ALIAS}")


def _facts(client: Any, name: str) -> FunctionFacts:
    wait_until_ready(client, name)
    return FunctionFacts.read(name, client.get_function_configuration(FunctionName=name))


@contextmanager
def _calling(access: AwsAccess, doing: str, function: str) -> Iterator[Any]:
    """Yield a client of Lambda's; a refusal says which rights a variant takes."""
    with (
        explained(doing, function=function, when_denied=_WHEN_DENIED),
        closing(access.client("lambda")) as client,
    ):
        yield client
