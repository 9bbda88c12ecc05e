"""What is ours beyond the standard library: code that is sent, streams, faults, options, ends."""

from __future__ import annotations

import gc
import itertools
import operator
import os
import signal
import subprocess
import sys
import threading
import weakref
import zlib
from pathlib import Path

import pytest

from lambdamagic import LambdaExecutor, LambdaPool
from lambdamagic.api.options import read_options
from lambdamagic.errors import ConfigError, CostLimitError, EncodeError, EnvironmentDiedError, LocalServerError
from lambdamagic.events import InvocationFinished, InvocationRetried, InvocationStarted


def test_functions_of_main_are_sent_with_the_names_that_they_read(lambda_executor, define):
    """Also those that are found in the arguments."""
    define("OFFSET = 40")
    add = define("def add(x):\n    return x + OFFSET")
    assert lambda_executor.submit(add, 2).result() == 42
    assert list(lambda_executor.map(add, range(3))) == [40, 41, 42]
    assert lambda_executor.submit(operator.call, add, 1).result() == 41
    assert list(lambda_executor.map(operator.call, [define("def late():\n    return OFFSET")])) == [40]


def test_an_exception_class_of_main(lambda_executor, define):
    """What is raised is of the program's own class."""
    fail = define("class Mine(Exception): pass\ndef fail():\n    raise Mine('here')")
    error = lambda_executor.submit(fail).exception()
    assert type(error) is sys.modules["__main__"].__dict__["Mine"]
    assert str(error) == "here"


def test_an_item_that_cannot_be_sent_fails_in_its_place(lambda_executor):
    """The results before it are given."""
    results = lambda_executor.map(str, [1, 2, zlib.compressobj(), 4], chunksize=4)
    assert [next(results), next(results)] == ["1", "2"]
    with pytest.raises(EncodeError, match="item 2"):
        next(results)


def test_buffersize_bounds_what_is_pulled(lambda_executor):
    """No more items are pulled than results were taken and the buffer holds; an endless iterable can be left."""
    numbers = itertools.count()
    results = lambda_executor.map(str, numbers, buffersize=4)
    assert next(numbers) == 4
    assert [next(results), next(results)] == ["0", "1"]
    results.close()
    assert next(numbers) == 7


@pytest.mark.parametrize(("value", "error"), [("x", TypeError), (2.0, TypeError), (0, ValueError), (-1, ValueError)])
def test_buffersize_is_checked(lambda_executor, value, error):
    """As Python 3.14 does."""
    with pytest.raises(error, match="buffersize must be"):
        lambda_executor.map(str, [1], buffersize=value)


@pytest.mark.parametrize("value", [-1, 0, 2.0, float("nan"), float("inf"), "3"])
@pytest.mark.parametrize("face", ["map", "start_map", "pool"])
def test_chunksize_is_checked_before_anything_is_sent(lambda_executor, face, value):
    """A number that no chunk can have is refused by the call itself, as in the standard library."""
    pulled = iter([1, 2])
    with pytest.raises(ValueError if isinstance(value, int) else TypeError):
        if face == "pool":
            with LambdaPool() as pool:
                pool.map(str, pulled, chunksize=value)
        else:
            getattr(lambda_executor, face)(str, pulled, chunksize=value)
    assert next(pulled) == 1


def test_shutdown_stops_a_buffered_map(define):
    """What was pulled is done; asking for more raises, as in Python 3.14."""
    executor = LambdaExecutor(max_workers=1)
    results = executor.map(str, itertools.count(), buffersize=2)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(results)


def test_a_long_iterable_without_length(lambda_executor):
    """All results come, in order, though only a part of the items is pulled ahead."""
    assert list(lambda_executor.map(abs, (-n for n in range(12_000)))) == list(range(12_000))


def test_an_endless_iterable_ends_with_its_consumer(lambda_executor):
    """Leaving the loop ends the work."""
    for number in lambda_executor.map(abs, itertools.count()):
        if number == 5:
            break
    assert lambda_executor.submit(abs, -1).result() == 1


def test_results_that_are_thrown_away_cancel_an_endless_map(lambda_executor):
    """Nothing more is pulled, it is reported, and the executor continues."""
    numbers = itertools.count()
    with pytest.warns(RuntimeWarning, match="were not used"):
        lambda_executor.map(abs, numbers)
        gc.collect()
    pulled = next(numbers)
    assert lambda_executor.submit(abs, -1).result() == 1
    assert next(numbers) == pulled + 1


def test_results_that_are_thrown_away_with_a_length(tmp_path):
    """All tasks are run, as in the standard library."""
    with LambdaExecutor(max_workers=2) as executor:
        executor.map(Path.touch, [tmp_path / str(number) for number in range(5)])
        gc.collect()
    assert len(list(tmp_path.iterdir())) == 5


def test_fifty_thousand_tiny_results(lambda_executor):
    """In order, from an iterable without a length."""
    assert sum(lambda_executor.map(abs, (-n for n in range(50_000)))) == 50_000 * 49_999 // 2


def test_a_result_of_200_mb(lambda_executor, define):
    """It comes by the bucket, whole."""
    make = define("def make(mb):\n    return bytes([7]) * (mb << 20)")
    found = lambda_executor.submit(make, 200).result()
    assert len(found) == 200 << 20
    assert found[:3] == found[-3:] == b"\x07\x07\x07"


def test_chunks(lambda_executor):
    """chunksize is how many tasks an invocation carries."""
    started = []
    lambda_executor.add_listener(lambda event: started.append(event) if isinstance(event, InvocationStarted) else None)
    assert len(list(lambda_executor.map(abs, range(10), chunksize=4))) == 10
    assert sorted(len(event.tasks) for event in started) == [2, 4, 4]


def test_throttles_drops_and_killed_environments(lambda_executor, faults):
    """Every result is right; what may be tried again is."""
    assert lambda_executor.submit(abs, -1).result() == 1
    faults.throttle(count=2)
    faults.drop(count=1)
    faults.kill(count=1)
    assert list(lambda_executor.map(abs, range(40), chunksize=10)) == list(range(40))
    faults.drop(count=1, after_running=True)
    assert [future.result() for future in [lambda_executor.submit(abs, -n) for n in range(5)]] == [0, 1, 2, 3, 4]


def test_only_chosen_exceptions_are_retried(define, tmp_path):
    """A class of the program's own, with its subclasses; others fail at once."""
    namespace = sys.modules["__main__"].__dict__
    define("class Flaky(Exception): pass")
    define("class Flakier(Flaky): pass")
    define("from pathlib import Path")
    fail = define(
        "def fail(folder, name):\n"
        "    attempt = Path(folder, name); attempt.mkdir(exist_ok=True)\n"
        "    count = len(list(attempt.iterdir())); (attempt / str(count)).touch()\n"
        "    if name == 'key': raise KeyError(name)\n"
        "    if count < 2: raise Flakier(name)\n"
        "    return count"
    )
    with LambdaExecutor(max_workers=2, retries=3, retry_on=(namespace["Flaky"], TimeoutError)) as executor:
        assert executor.submit(fail, str(tmp_path), "flaky").result() == 2
        assert list(executor.map(fail, [str(tmp_path)], ["mapped"])) == [2]
        with pytest.raises(KeyError):
            executor.submit(fail, str(tmp_path), "key").result()
    assert len(list((tmp_path / "key").iterdir())) == 1


def test_more_memory_after_too_little(define):
    """The call that ran out of memory is run again on a larger function, and nothing else is."""
    happened = []
    # Long enough in memory for the server to see it, however busy the machine is.
    wait = "__import__('time').sleep(3 if mb > 256 else 0)"
    take = define(f"def take(mb):\n    held = bytearray(b'x') * (mb << 20)\n    {wait}\n    return len(held) >> 20")
    with LambdaExecutor(max_workers=2, memory_mb=256, retry_memory=1024) as executor:
        executor.add_listener(happened.append)
        assert list(executor.map(take, [1, 400, 2], chunksize=3)) == [1, 400, 2]
    larger = [event for event in happened if isinstance(event, InvocationRetried) and event.memory_mb]
    assert [(event.tasks, event.memory_mb) for event in larger] == [((1,), 512)]
    reports = [event.report for event in happened if isinstance(event, InvocationFinished) and event.report]
    assert {report.memory_mb for report in reports} == {256, 512}


def test_what_a_program_sets_is_for_all_its_jobs(define):
    """max_cost counts over submits and maps; then nothing more is launched."""
    with LambdaExecutor(max_workers=1, max_cost=1e-6) as executor:
        assert executor.submit(abs, -1).result() == 1
        with pytest.raises(CostLimitError, match="max_cost_usd"):
            for _ in range(50):
                list(executor.map(abs, range(3), chunksize=1))
        with pytest.raises(CostLimitError):
            executor.submit(abs, -1).result()


@pytest.mark.parametrize("endless", [False, True])
def test_iterators_end_when_the_money_is_spent(endless):
    """They give what was done, raise CostLimitError, and have nothing more; as after any other failure."""
    with LambdaExecutor(max_workers=1, max_cost=1e-6) as executor, LambdaPool(1, max_cost=1e-6) as pool:
        for act in (executor.map, pool.imap, pool.imap_unordered):
            results, found = act(abs, itertools.count() if endless else range(60), chunksize=1), []
            with pytest.raises(CostLimitError, match="max_cost_usd"):
                found.extend(iter(results.__next__, None))
            with pytest.raises(StopIteration):
                next(results)
        assert pool.apply_async(abs, (1,)).wait(60) is None


def test_a_call_that_ends_its_process(lambda_executor):
    """Only its own future fails: the executor is not broken."""
    assert type(lambda_executor.submit(os._exit, 1).exception()) is EnvironmentDiedError
    assert lambda_executor.submit(abs, -1).result() == 1


def test_a_killed_server_ends_all_futures(gate, tmp_path):
    """They raise LocalServerError, those that wait too; the next call starts a new server."""
    from lambdamagic.api import process
    from lambdamagic.api.options import Access
    from lambdamagic.config import load_settings

    with LambdaExecutor(max_workers=1, memory_mb=512) as executor:
        running = executor.submit(Path.read_text, gate.path)
        waiting = [executor.submit(abs, number) for number in range(3)]
        results = executor.map(Path.read_text, [gate.path])
        server = process.target(load_settings().settings, Access()).server
        os.kill(server.connection.pid, signal.SIGKILL)
        for future in (running, *waiting):
            assert type(future.exception(60)) is LocalServerError
        with pytest.raises(LocalServerError):
            next(results)
        assert executor.submit(abs, -1).result() == 1


def test_an_executor_whose_server_died_can_be_shut_down(gate):
    """Also with calls that were never sent: they have ended with it."""
    from lambdamagic.api import process
    from lambdamagic.api.options import Access
    from lambdamagic.config import load_settings

    executor = LambdaExecutor(max_workers=1, memory_mb=512)
    calls = [executor.submit(Path.read_text, gate.path), *(executor.submit(abs, number) for number in range(3))]
    os.kill(process.target(load_settings().settings, Access()).server.connection.pid, signal.SIGKILL)
    assert {type(call.exception(60)) for call in calls} == {LocalServerError}
    executor.shutdown(cancel_futures=True)


def test_finished_futures_are_not_kept(lambda_executor):
    """Nor their results."""
    future = lambda_executor.submit(abs, -1)
    assert future.result() == 1
    lambda_executor.submit(abs, -1).result()  # the collector has released the one before
    gone = weakref.ref(future)
    del future
    gc.collect()
    assert gone() is None


def test_an_executor_without_references_is_closed(define):
    """Its calls still end, and then its thread does."""
    executor = LambdaExecutor(max_workers=1)
    future = executor.submit(abs, -1)
    run = executor._calls._run
    gone = weakref.ref(executor)
    del executor
    gc.collect()
    assert gone() is None
    assert future.result() == 1
    assert run.wait(30)


def test_many_calls_take_few_threads(lambda_executor):
    """As many as invocations may run at once, not one a call."""
    before = threading.active_count()
    futures = [lambda_executor.submit(abs, -n) for n in range(100)]
    assert threading.active_count() <= before + 8
    assert [future.result() for future in futures] == list(range(100))


def test_the_interpreter_ends_after_pending_calls(tmp_path):
    """As with the standard library's executors: it waits for them, and does not hang."""
    program = tmp_path / "program.py"
    program.write_text(
        "from pathlib import Path\nimport lambdamagic\n"
        "executor = lambdamagic.LambdaExecutor()\n"
        f"executor.submit(Path.write_text, Path({str(tmp_path / 'done')!r}), 'done')\n"
    )
    ended = subprocess.run([sys.executable, str(program)], timeout=60, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "done").read_text() == "done"


def test_options_of_covalent():
    """Those with a counterpart are it; those without are reported once, by name."""
    with pytest.warns(UserWarning, match="execution_role.*cache_dir.*poll_freq") as warned:
        options = read_options(
            {
                "function_name": "f",
                "s3_bucket_name": "bucket",
                "timeout": 30,
                "region": "eu-central-1",
                "profile": "me",
                "execution_role": "r",
                "cache_dir": "c",
                "poll_freq": 5,
                "credentials_file": "file",
            }
        )
    settings = options.resolved.settings
    assert len(warned) == 1
    assert (settings.function, settings.bucket, settings.timeout_s) == ("f", "bucket", 30)
    assert (settings.region, settings.profile, options.access.credentials_file) == ("eu-central-1", "me", "file")


def test_a_credentials_file_is_this_executors_own(tmp_path):
    """Its keys are used, and the process's environment is not touched."""
    from lambdamagic.aws.access import AwsAccess

    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = mine\naws_secret_access_key = secret\n")
    before = dict(os.environ)
    assert AwsAccess(region="eu-central-1", credentials_file=str(file)).credentials().access_key == "mine"
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "options",
    [
        {"function": "a", "function_name": "b"},
        {"aws_access_key_id": "x"},
        {"memori_mb": 128},
        {"retry_on": 3},
        {"retry_on": int},
    ],
)
def test_options_that_cannot_be(options):
    """Are refused when the executor is made."""
    with pytest.raises(ConfigError):
        LambdaExecutor(**options)


def test_a_named_function_means_aws():
    """Also without a bucket; a target that is set wins."""
    assert read_options({"function": "f"}).resolved.settings.target == "aws"
    assert read_options({"function": "f", "target": "local"}).resolved.settings.target == "local"


def test_an_executor_has_workers():
    """As in the standard library, not none."""
    with pytest.raises(ValueError, match="max_workers"):
        LambdaExecutor(max_workers=0)


def test_a_section_in_covalents_names(tmp_path, monkeypatch):
    """[executors.awslambda] is read below everything else, and an unknown name suggests the nearest."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pyproject.toml"
    section = "[tool.lambdamagic.executors.awslambda]\n"
    file.write_text(section + 'timeout = 45\nregion = "eu-north-1"\nfunction_name = "mine"\n')
    settings = read_options({"region": "eu-west-1"}).resolved.settings
    assert (settings.timeout_s, settings.region, settings.function) == (45, "eu-west-1", "mine")
    monkeypatch.setenv("LAMBDAMAGIC_TIMEOUT_S", "50")
    assert read_options({}).resolved.settings.timeout_s == 50
    file.write_text(section + 'functon_name = "mine"\n')
    with pytest.raises(ConfigError, match="functon_name") as raised:
        read_options({})
    assert "function_name" in str(raised.value.hint)


def test_a_working_folder_that_was_deleted_is_no_error(tmp_path: Path) -> None:
    """Code that names no file runs as it does in plain Python; the settings are the user's own."""
    program = """
import os, sys
os.rmdir(os.getcwd())
import lambdamagic
with lambdamagic.LambdaExecutor(target="local") as executor:
    print(list(executor.map(abs, [-1, -2])))
"""
    folder = tmp_path / "deleted"
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[1, 2]\n", done.stderr
