"""What the executors take, from where, and what they are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.covalent.environment import CovalentHome


@pytest.fixture(autouse=True)
def clean(covalent: CovalentHome) -> None:
    """Each test begins without settings of lambdamagic and with empty sections of Covalent's."""
    covalent.run("""
import os
from pathlib import Path
from covalent._shared_files.config import set_config
set_config("executors.awslambda", {})
set_config("executors.lambdamagic", {})
Path(os.environ["HOME"], ".config/lambdamagic/config.toml").unlink(missing_ok=True)
""")


def test_every_argument_of_the_former_executor(covalent: CovalentHome) -> None:
    """Is taken by position and by name, counts under our name, and is sent as JSON to where the electron runs."""
    answer = covalent.run("""
import json
from covalent.executor import AWSLambdaExecutor
given = AWSLambdaExecutor("mine", "a-bucket", "a-role", None, "me", "eu-central-1", "/tmp/cache", 3, 30, memory_mb=512)
again = AWSLambdaExecutor().from_dict(json.loads(json.dumps(given.to_dict())))
answer = {
    "short": given.to_dict()["short_name"],
    "options": again.options(),
    "same": again.options() == given.options(),
    "attributes": [given.function_name, given.timeout, given.region, given.poll_freq],
    "session": given.boto_session_options(),
}
""")
    assert answer == {
        "short": "awslambda",
        "options": {
            "function_name": "mine",
            "s3_bucket_name": "a-bucket",
            "profile": "me",
            "region": "eu-central-1",
            "timeout": 30,
            "memory_mb": 512,
        },
        "same": True,
        "attributes": ["mine", 30, "eu-central-1", 3],
        "session": {"profile_name": "me", "region_name": "eu-central-1"},
    }


def test_which_value_counts(covalent: CovalentHome) -> None:
    """Covalent's configuration file is beneath our settings, and these are beneath what an executor is given."""
    answer = covalent.run("""
import os
from pathlib import Path
from covalent._shared_files.config import set_config
from covalent.executor import AWSLambdaExecutor, _executor_manager
from lambdamagic.api.options import read_options

def seen(executor):
    settings = read_options(executor.options()).resolved.settings
    return [settings.timeout_s, settings.region, settings.memory_mb, settings.target]

# As the former plugin has left it; a function that is empty there is none.
set_config("executors.awslambda", {
    "function_name": "", "s3_bucket_name": "", "execution_role": "role", "credentials_file": "~/.aws/credentials",
    "profile": "default", "region": "us-east-1", "cache_dir": "/tmp", "poll_freq": 5, "timeout": 50, "memory_size": 512,
})
answer = {"section": seen(_executor_manager.get_executor("awslambda")), "instance": seen(AWSLambdaExecutor())}
file = Path(os.environ["HOME"], ".config/lambdamagic/config.toml")
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text("timeout_s = 60\\n")
answer["ours"] = seen(_executor_manager.get_executor("awslambda"))
answer["given"] = seen(AWSLambdaExecutor(timeout=50, time_limit=7))
answer["time limit"] = seen(AWSLambdaExecutor(time_limit=7))
""")
    assert answer == {
        "section": [50, "us-east-1", 512, "auto"],
        "instance": [50, "us-east-1", 512, "auto"],
        "ours": [60, "us-east-1", 512, "auto"],
        "given": [50, "us-east-1", 512, "auto"],
        "time limit": [7, "us-east-1", 512, "auto"],
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("AWSLambdaExecutor(memori_mb=512)", "unknown setting 'memori_mb'"),
        ("LambdaMagicExecutor(timeout=-1)", "timeout"),
        ("LambdaMagicExecutor(aws_secret_access_key='x')", "aws_secret_access_key cannot be passed"),
        ("_executor_manager.get_executor('lambdamagic')", "[executors.lambdamagic] of Covalent's configuration file"),
    ],
)
def test_what_cannot_be(covalent: CovalentHome, call: str, message: str) -> None:
    """Is refused when the executor is made, with what to do."""
    answer = covalent.run(f"""
from covalent._shared_files.config import set_config
from covalent.executor import AWSLambdaExecutor, LambdaMagicExecutor, _executor_manager
from lambdamagic.errors import ConfigError
set_config("executors.lambdamagic", {{"functon_name": "x"}})
try:
    {call}
except ConfigError as error:
    answer = str(error), error.hint
""")
    assert answer is not None and message in answer[0]


def test_calls_without_a_server(covalent: CovalentHome, tmp_path: Path) -> None:
    """What programs called on the former executor: submit, status, result and exception, also by its files' names."""
    answer = covalent.run("""
import asyncio
from covalent.executor import AWSLambdaExecutor
from lambdamagic.errors import JobMissingError
executor = AWSLambdaExecutor()
job = executor.submit_task_sync(divmod, [7, 2], task_metadata={"dispatch_id": "some-dispatch", "node_id": 3})

async def others():
    failing = await executor.submit_task(divmod, [1, 0])
    exception = await executor.query_task_exception(failing)
    return exception, await executor.query_result(job), await executor.get_status(job)

answer = {
    "result": executor.query_result_sync(job),
    "by name": executor.query_result_sync("/tmp", "result-some-dispatch-3.pkl"),
    "exception": executor.query_task_exception_sync("/tmp", "exception-some-dispatch-3.json"),
    "others": asyncio.run(others()),
}
try:
    executor.get_status_sync("nothing")
except JobMissingError as error:
    answer["missing"] = str(error)
""")
    exception, result, is_over = answer.pop("others")
    assert "ZeroDivisionError" in exception and (result, is_over) == ([3, 1], True)
    assert answer.pop("missing").startswith("this process has started no electron 'nothing'")
    assert answer == {"result": [3, 1], "by name": [3, 1], "exception": None}


def test_an_electron_of_another_python(covalent: CovalentHome) -> None:
    """Is refused before anything is sent: its bytes are those of its Python."""
    answer = covalent.run("""
from covalent._workflow.transport import TransportableObject
from functools import partial
from covalent.executor import LambdaMagicExecutor
from lambdamagic.errors import VersionMismatchError
function = TransportableObject(abs)
function._header["py_version"] = "3.9.1"
try:
    LambdaMagicExecutor().submit_task_sync(partial(abs, function, [], []), [TransportableObject(-1)])
except VersionMismatchError as error:
    answer = str(error)
""")
    assert answer.startswith("the electron abs was pickled by Python 3.9.1, the function runs Python 3.")
