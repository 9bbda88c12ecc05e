"""Reject values that AWS would reject, before AWS is called, each with its fix. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lambdamagic.aws.partitions import PARTITIONS
from lambdamagic.errors import ConfigError
from lambdamagic.limits import AWS_LAMBDA, Limit, environment_size, is_reserved

STACK_NAME_MAX = 32  # AWS allows 128; the bucket's name begins with it and ends in CloudFormation's own 27 characters

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]+")  # API reference, CreateFunction, FunctionName
_STACK_NAME = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")  # API reference, CreateStack; lower case, for the bucket's name
_LAYER = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:layer:[A-Za-z0-9_-]{1,140}:\d+")  # CreateFunction, Layers
_ROLE = re.compile(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")  # CreateFunction, Role
_KMS_KEY = re.compile(r"arn:(aws[a-zA-Z-]*)?:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")  # KMS, "Key identifiers"
_POLICY = re.compile(r"arn:(aws[a-zA-Z-]*)?:iam::(\d{12}|aws):policy/[a-zA-Z_0-9+=,.@\-_/]+")  # IAM User Guide, "ARNs"
_NETWORK_ID = {"subnet": re.compile(r"subnet-[0-9a-z]+"), "security group": re.compile(r"sg-[0-9a-zA-Z]+")}  # VpcConfig
_VARIABLE = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")  # API reference, Environment
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # S3 User Guide, "General purpose bucket naming rules"
_SUFFIXES = "|".join(re.escape(partition.dns_suffix) for partition in PARTITIONS)
_IMAGE = re.compile(rf"\d{{12}}\.dkr\.ecr\.[a-z0-9-]+\.({_SUFFIXES})/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{{64}})")
_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288)
_RETENTION_MAX_DAYS = 3653


def check_memory(memory_mb: int) -> None:
    """Check a function's memory."""
    _check_size("memory", memory_mb, AWS_LAMBDA.memory_mb)


def check_timeout(timeout_s: int) -> None:
    """Check a function's timeout."""
    _check_size("timeout", timeout_s, AWS_LAMBDA.timeout_s)


def check_ephemeral(ephemeral_mb: int) -> None:
    """Check the size of a function's /tmp."""
    _check_size("ephemeral storage", ephemeral_mb, AWS_LAMBDA.ephemeral_mb)


def check_function_name(name: str) -> None:
    """Check a function's name."""
    if not _FUNCTION_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is not a valid function name", hint="Use letters, digits, hyphens and underscores only"
        )
    most = AWS_LAMBDA.function_name_chars.most
    if len(name) > most:
        raise ConfigError(
            f"the function's name has {len(name)} characters, Lambda allows {most}",
            hint=f"Shorten it, for example to {name[:most]!r}",
        )


def check_stack_name(name: str) -> None:
    """Check the name that stack, function and bucket are made with."""
    if not _STACK_NAME.fullmatch(name) or len(name) > STACK_NAME_MAX:
        raise ConfigError(
            f"{name!r} is not a valid deployment name: the bucket's name begins with it",
            hint=f"Use 2 to {STACK_NAME_MAX} lower-case letters, digits and hyphens, beginning with a letter",
        )


def check_layers(layers: Sequence[str], *, more: int = 0) -> None:
    """Check the ARNs of a function's layers.

    Args:
        layers: The ARNs.
        more: How many more layers lambdamagic creates itself.
    """
    most = AWS_LAMBDA.layers
    if len(layers) + more > most.most:
        own = f" ({more} of them lambdamagic's own)" if more else ""
        raise ConfigError(
            f"{len(layers) + more} layers are too many{own}: a function has {most.most} at most ({most.source})",
            hint="Merge them into one layer, or into the package with -r requirements.txt",
        )
    for layer in layers:
        if not _LAYER.fullmatch(layer):
            raise ConfigError(
                f"{layer!r} is not the ARN of a layer version",
                hint="It looks like arn:aws:lambda:eu-central-1:123456789012:layer:name:1, ending with the version",
            )


def check_role(role: str) -> None:
    """Check a role's ARN."""
    if not _ROLE.fullmatch(role):
        raise ConfigError(
            f"{role!r} is not the ARN of a role",
            hint="It looks like arn:aws:iam::123456789012:role/name; `aws iam list-roles` shows them",
        )


def check_kms_key(key: str) -> None:
    """Check the ARN of a key of KMS."""
    if not _KMS_KEY.fullmatch(key):
        raise ConfigError(
            f"{key!r} is not the ARN of a KMS key",
            # KMS, "Using aliases to control access": in a policy an alias's ARN names no key.
            hint="It looks like arn:aws:kms:eu-central-1:123456789012:key/ID; an alias does not work in policies: "
            "`aws kms describe-key --key-id alias/NAME` shows the key's ARN",
        )


def check_boundary(policy: str) -> None:
    """Check the ARN of a policy that bounds a role."""
    if not _POLICY.fullmatch(policy):
        raise ConfigError(
            f"{policy!r} is not the ARN of a policy",
            hint="It looks like arn:aws:iam::123456789012:policy/name; `aws iam list-policies` shows them",
        )


def check_network(subnets: Sequence[str], security_groups: Sequence[str]) -> None:
    """Check where in a VPC a function is to run."""
    if bool(subnets) != bool(security_groups):
        raise ConfigError(
            "a function in a VPC needs subnets and security groups", hint="Give both --subnet and --security-group"
        )
    for what, begin, ids in (("subnet", "subnet-", subnets), ("security group", "sg-", security_groups)):
        for each in ids:
            if not _NETWORK_ID[what].fullmatch(each):
                raise ConfigError(
                    f"{each!r} is not the id of a {what}", hint=f"It looks like {begin}0123456789abcdef0, not a name"
                )


def check_bucket(bucket: str) -> None:
    """Check a bucket's name."""
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise ConfigError(
            f"{bucket!r} is not a valid bucket name",
            hint="Use 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends",
        )


def check_data_bucket(data_bucket: str) -> None:
    """Check a bucket of the user's data: a name, and perhaps `:write`."""
    name, colon, right = data_bucket.partition(":")
    check_bucket(name)
    if colon and right != "write":
        raise ConfigError(
            f"{data_bucket!r} is not a valid bucket for data",
            hint=f"Give {name} to read it, {name}:write to write to it as well",
        )


def check_image(uri: str) -> None:
    """Check an image's URI: Lambda takes images from ECR only, with a tag or digest."""
    if not _IMAGE.fullmatch(uri):
        raise ConfigError(
            f"{uri!r} is not an image in Amazon ECR with a tag or digest",
            hint="Run `lambdamagic image push`, which prints the URI",
        )


def check_environment(variables: Mapping[str, str]) -> None:
    """Check a function's environment variables."""
    for name in variables:
        if is_reserved(name):
            raise ConfigError(f"Lambda sets {name} itself", hint="Choose another name for your variable")
        if not _VARIABLE.fullmatch(name):
            raise ConfigError(
                f"{name!r} is not a valid name of an environment variable",
                hint="Use two or more letters, digits and underscores, beginning with a letter",
            )
    size = environment_size(variables)
    limit = AWS_LAMBDA.environment_bytes
    if size > limit.most:
        raise ConfigError(
            f"the environment variables take {size:,} bytes, Lambda allows {limit.most:,} ({limit.source})",
            hint="Put large values into a file of the package (a path after the function's name)",
        )


def check_snapstart(*, python: str, image: str | None, ephemeral_mb: int) -> None:
    """Check that a function can have SnapStart ("Improving startup performance with Lambda SnapStart", limitations)."""
    most, pythons = AWS_LAMBDA.snap_start_ephemeral_mb, AWS_LAMBDA.snap_start_pythons
    if image is not None:
        raise ConfigError("SnapStart takes no images, only packages", hint="Leave out --image or --snapstart")
    if python not in pythons:
        raise ConfigError(
            f"SnapStart takes no Python {python} ({most.source})",
            hint=f"Use Python {pythons[0]} or newer, or leave out --snapstart",
        )
    if ephemeral_mb > most.most:
        raise ConfigError(
            f"SnapStart takes {most.most} MB of ephemeral storage, not {ephemeral_mb:,} MB ({most.source})",
            hint="Leave out --ephemeral or --snapstart",
        )


def check_retention(days: int) -> None:
    """Check the number of days that log events are kept."""
    if days not in _RETENTION_DAYS and days != _RETENTION_MAX_DAYS:
        near = min((*_RETENTION_DAYS, _RETENTION_MAX_DAYS), key=lambda known: abs(known - days))
        raise ConfigError(
            f"CloudWatch Logs cannot keep logs for {days} days",
            hint=f"The nearest possible value is {near} days (PutRetentionPolicy)",
        )


def _check_size(what: str, value: int, limit: Limit) -> None:
    """Reject impossible sizes; warn above the known maximum of Lambda, which AWS may have raised."""
    if value < limit.least:
        raise ConfigError(
            f"{what} of {value:,} {limit.unit} is out of range ({limit}; {limit.source})",
            hint=f"Use {limit.least:,} or more",
        )
    limit.warn_above(f"a {what}", value, stacklevel=5)  # at whoever makes the spec
