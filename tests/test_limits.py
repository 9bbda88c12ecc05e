"""The limits of AWS's computes: they agree with AWS, and stand nowhere else."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

import botocore.session
import pytest

import lambdamagic
from lambdamagic.config import load_settings
from lambdamagic.deploy.functions import FunctionFacts
from lambdamagic.deploy.model import FunctionSpec
from lambdamagic.deploy.platforms import LambdaPlatform
from lambdamagic.limits import AWS_LAMBDA, AWS_MANAGED_INSTANCES, LimitWarning

PACKAGE = Path(lambdamagic.__file__).parent
DOCS = PACKAGE.parent / "docs"
#: Numbers that look like a limit and are a choice of ours.
OURS = {"jobs/policy.py": "how long throttling is borne"}


@pytest.fixture(scope="module")
def create_function():
    """Return the description of a parameter of CreateFunction in botocore's model, and its shape."""
    model = botocore.session.get_session().get_service_model("lambda")
    members = model.operation_model("CreateFunction").input_shape.members
    return lambda name: (members[name].documentation, members[name])


def test_the_timeout_is_botocores(create_function):
    """Its model of CreateFunction states 1,800 s, and 5,400 s for managed instances."""
    text, shape = create_function("Timeout")
    assert f"maximum allowed value is {AWS_LAMBDA.timeout_s.most:,} seconds" in text
    assert AWS_MANAGED_INSTANCES.timeout_s.most == shape.metadata["max"]
    assert AWS_LAMBDA.timeout_s.least == shape.metadata["min"]


def test_memory_and_tmp_are_botocores(create_function):
    """The model has the widest range; what Lambda's own compute takes is narrower."""
    _, memory = create_function("MemorySize")
    assert (AWS_MANAGED_INSTANCES.memory_mb.least, AWS_MANAGED_INSTANCES.memory_mb.most) == (
        memory.metadata["min"],
        memory.metadata["max"],
    )
    assert AWS_LAMBDA.memory_mb.most < memory.metadata["max"]
    text, _ = create_function("EphemeralStorage")
    least, most = AWS_LAMBDA.ephemeral_mb.least, AWS_LAMBDA.ephemeral_mb.most
    assert f"between {least} and {most:,} MB" in text


def test_pythons_are_botocores(create_function):
    """Each runtime that is offered is in the model."""
    _, runtime = create_function("Runtime")
    assert {f"python{each}" for each in AWS_LAMBDA.pythons} <= set(runtime.enum)


def test_limits_are_defined_in_one_place():
    """Not as a number, and not in a text."""
    limits = (AWS_LAMBDA, AWS_MANAGED_INSTANCES)
    numbers = {"900", *(str(each.most) for kind in limits for each in (kind.memory_mb, kind.timeout_s))}
    texts = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}  # the latter since Python 3.12
    text = re.compile(r"\b(900 s|1,?800 s|10,?240|32,?768|6 MB|250 MB|10 GB)\b")
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name == "limits.py" or name in OURS:
            continue
        with path.open("rb") as source:
            for token in tokenize.tokenize(source.readline):
                is_number = token.type == tokenize.NUMBER and token.string.replace("_", "").split(".")[0] in numbers
                if is_number or (token.type in texts and text.search(token.string)):
                    found.append(f"{name}:{token.start[0]}: {token.string[:80]}")
    assert not found


def test_the_docs_have_the_same_numbers():
    """The table of quotas, the options of a cell, and no number of before."""
    memory, timeout, tmp = AWS_LAMBDA.memory_mb, AWS_LAMBDA.timeout_s, AWS_LAMBDA.ephemeral_mb
    aws = (DOCS / "aws.md").read_text()
    assert f"| {memory.most:,} MB, {timeout.most:,} s, {tmp.most:,} MB |" in aws
    cells = (DOCS / "cells.md").read_text()
    assert f"the function's memory, {memory} |" in cells
    assert f"the function's timeout, {timeout} |" in cells
    for page in [DOCS.parent / "README.md", *DOCS.glob("*.md")]:
        assert not re.search(r"\b900 s\b|\b15 minutes\b.*one invocation", page.read_text()), page.name


def test_a_function_brings_the_limits_of_its_compute():
    """One with a capacity provider runs on managed instances."""
    configuration = {"MemorySize": 4096, "Timeout": 900}
    assert FunctionFacts.read("f", configuration).limits is AWS_LAMBDA
    capacity = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn"}}
    assert (
        FunctionFacts.read("f", {**configuration, "CapacityProviderConfig": capacity}).limits is AWS_MANAGED_INSTANCES
    )


@pytest.mark.parametrize("size", [{"memory_mb": 20_000}, {"timeout_s": 3600}, {"ephemeral_mb": 20_000}])
def test_a_larger_function_is_warned_about(size):
    """AWS may take by now what was not known when this was written."""
    with pytest.warns(LimitWarning, match="documented maximum"):
        FunctionSpec(name="f", python="3.12", **size)


def test_a_newer_python_is_warned_about():
    """It is taken to run on what the newest known one runs on."""
    with pytest.warns(LimitWarning, match=r"newest is 3\.14"):
        platform = LambdaPlatform("3.19")
    assert platform.uv_platform == LambdaPlatform("3.14").uv_platform


@pytest.mark.parametrize("name", ["memory_mb", "timeout_s", "retry_memory_mb"])
def test_a_setting_above_a_limit_is_left_to_the_provider(name, tmp_path):
    """The target knows what compute its functions have; a setting does not."""
    resolved = load_settings(cwd=tmp_path, environ={"HOME": str(tmp_path)}, overrides={name: 40_000})
    assert getattr(resolved.settings, name) == 40_000
