"""Lattices on a real Covalent server, on the embedded Lambda."""

from __future__ import annotations

import tarfile

import pytest

from tests.covalent.environment import CovalentHome

# The lattice of the documentation of Covalent's own executor for AWS Lambda.
_DOCUMENTED = """
{executor}
@ct.electron(executor=executor)
def join_words(a, b):
    return ", ".join([a, b])

@ct.electron(executor=executor)
def excitement(a):
    return f"{{a}}!"

@ct.lattice
def simple_workflow(a, b):
    phrase = join_words(a, b)
    return excitement(phrase)

found = wait(ct.dispatch(simple_workflow)("Hello", "World"))
answer = str(found.status), found.result
"""


@pytest.mark.parametrize(
    "executor",
    [
        'executor = "lambdamagic"',
        'executor = "awslambda"',
        "from covalent.executor import AWSLambdaExecutor\n"
        'executor = AWSLambdaExecutor(timeout=60, region="eu-central-1", poll_freq=1, memory_mb=512)',
        "from covalent.executor import LambdaMagicExecutor\nexecutor = LambdaMagicExecutor(timeout_s=60, retries=1)",
    ],
    ids=["lambdamagic", "awslambda", "AWSLambdaExecutor", "LambdaMagicExecutor"],
)
def test_the_documented_lattice(covalent: CovalentHome, executor: str) -> None:
    """Runs under both names, and by instances with own values."""
    assert covalent.run(_DOCUMENTED.format(executor=executor)) == ["COMPLETED", "Hello, World!"]


def test_an_electrons_output_and_place(covalent: CovalentHome) -> None:
    """Its streams are in Covalent's result; it is in a function's process, which does not load Covalent."""
    answer = covalent.run("""
import os

@ct.electron(executor="lambdamagic")
def look(server):
    import os, sys
    print("to stdout")
    print("to stderr", file=sys.stderr)
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ, "covalent" in sys.modules

@ct.lattice
def lattice(server):
    return look(server)

found = wait(ct.dispatch(lattice)(0))
answer = found.result, nodes(found)["look"]
""")
    (is_lambda, has_covalent), look = answer
    assert (is_lambda, has_covalent) == (True, False)
    assert (look["stdout"], look["stderr"], look["status"]) == ("to stdout\n", "to stderr\n", "COMPLETED")


def test_many_electrons_and_two_lattices_at_once(covalent: CovalentHome) -> None:
    """A fan-out of 20 and another lattice next to it keep their own values."""
    answer = covalent.run("""
@ct.electron(executor="lambdamagic")
def square(n):
    return n * n

@ct.electron(executor="awslambda")
def total(values):
    return sum(values)

@ct.lattice
def fan_out(count):
    return total([square(n) for n in range(count)])

first = ct.dispatch(fan_out)(20)
second = ct.dispatch(fan_out)(3)
answer = wait(first).result, wait(second).result
""")
    assert answer == [sum(n * n for n in range(20)), 5]


def test_as_many_at_once_as_the_setting_says(covalent: CovalentHome) -> None:
    """`max_concurrency` is for all electrons of a dispatch: with 1 none runs next to another."""
    answer = covalent.run("""
import tempfile
from covalent.executor import LambdaMagicExecutor

@ct.electron(executor=LambdaMagicExecutor(max_concurrency=1))
def beside(n, path):
    import os, time
    os.mkdir(f"{path}/{n}")
    until = time.monotonic() + 4
    while time.monotonic() < until and (most := len(os.listdir(path))) < 2:
        time.sleep(0.02)
    time.sleep(0.5)  # the other is to see this one too
    os.rmdir(f"{path}/{n}")
    return most

@ct.lattice
def lattice(path):
    return [beside(n, path) for n in range(2)]

found = wait(ct.dispatch(lattice)(tempfile.mkdtemp()))
answer = found.result, nodes(found)
""")
    assert answer[0] == [1, 1], answer[1]


def test_an_electron_that_fails(covalent: CovalentHome) -> None:
    """The remote traceback is in its stderr, with what it printed; the dispatch fails, what does not need it runs."""
    answer = covalent.run("""
class OwnError(Exception):
    pass

@ct.electron(executor="lambdamagic")
def divide(a, b):
    print("dividing")
    if b == 1:
        raise OwnError("one")
    return a / b

@ct.electron(executor="lambdamagic")
def after(value):
    return value

@ct.lattice
def lattice(a, b):
    after(divide(a, b))
    return after(a)

zero, own = wait(ct.dispatch(lattice)(1, 0)), wait(ct.dispatch(lattice)(1, 1))
import lambdamagic
jobs = {job.label: job.failed for job in lambdamagic.list_jobs(count=10)}
answer = str(zero.status), nodes(zero)["divide"], nodes(own)["divide"], jobs, own.dispatch_id
""")
    status, zero, own, jobs, dispatch_id = answer
    assert status == "FAILED" and zero["status"] == "FAILED"
    assert zero["stdout"] == "dividing\n"
    lines = zero["stderr"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith("line 10, in divide")
    assert lines[-2] == "ZeroDivisionError: division by zero"
    assert "OwnError: one" in own["stderr"]
    # Found from either side: the job's label has dispatch and node, the electron's stderr the job.
    assert jobs[f"divide (covalent {dispatch_id}:0)"] == 1
    assert own["stderr"].splitlines()[-1].startswith("[lambdamagic: job 2")


def test_cancel(covalent: CovalentHome) -> None:
    """An electron that runs is interrupted within seconds, and so its successor does not run."""
    answer = covalent.run("""
import os, tempfile, time
gate = tempfile.mkdtemp() + "/gate"
os.mkfifo(gate)

@ct.electron(executor="lambdamagic")
def endless(path):
    import time
    open(path, "w").close()
    while True:
        time.sleep(0.05)

@ct.electron(executor="lambdamagic")
def after(value):
    return value

@ct.lattice
def lattice(path):
    return after(endless(path))

dispatch_id = ct.dispatch(lattice)(gate)
open(gate).close()  # it runs
began = time.monotonic()
ct.cancel(dispatch_id)
found = wait(dispatch_id)
import lambdamagic
state = next(job.state for job in lambdamagic.list_jobs(count=5) if dispatch_id in job.label)
answer = str(found.status), nodes(found), time.monotonic() - began, state
""")
    status, nodes, seconds, state = answer
    assert (status, nodes["endless"]["status"], state) == ("CANCELLED", "CANCELLED", "cancelled")
    assert nodes["after"]["status"] != "COMPLETED"
    assert seconds < 20, f"it took {seconds:.1f} s"


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="Covalent's own executor needs Python 3.11.4")
def test_sublattices_that_depend_on_values(covalent: CovalentHome) -> None:
    """A lattice inside a lattice is built from what an electron returned, with Lambda as its executor too."""
    answer = covalent.run("""
@ct.electron(executor="lambdamagic")
def count():
    return 3

@ct.electron
def double(n):
    return 2 * n

@ct.electron
@ct.lattice(executor="lambdamagic", workflow_executor="lambdamagic")
def inner(n):
    return [double(each) for each in range(n)]

@ct.lattice(workflow_executor="lambdamagic")
def outer():
    return inner(count())

found = wait(ct.dispatch(outer)())
answer = str(found.status), found.result, nodes(found)
""")
    assert answer[:2] == ["COMPLETED", [0, 2, 4]], answer[2]


def test_async_electrons_and_electrons_called_by_electrons(covalent: CovalentHome) -> None:
    """A coroutine function is awaited; another electron is a function there, as it is outside of a lattice."""
    answer = covalent.run("""
@ct.electron
def helper(n):
    return n + 1

@ct.electron(executor="lambdamagic")
async def wait_for(n):
    import asyncio
    await asyncio.sleep(0)
    return helper(n)

@ct.electron(executor="lambdamagic")
def pair(n):
    return n, {"n": n}

@ct.lattice
def lattice(n):
    first, second = pair(wait_for(n))
    return second["n"]

found = wait(ct.dispatch(lattice)(1))
answer = str(found.status), found.result, nodes(found)
""")
    assert answer[:2] == ["COMPLETED", 2], answer[2]


def test_hooks_and_dependencies(covalent: CovalentHome) -> None:
    """Calls and commands run around the electron; packages are compared before anything is sent."""
    answer = covalent.run("""
import tempfile
mark = tempfile.mkdtemp() + "/after"

def make(value):
    return value * 2

def leave(path):
    with open(path, "w") as file:
        file.write("after")

@ct.electron(
    executor="lambdamagic",
    deps_bash=ct.DepsBash(["echo from bash", "pip install 'boto3>=1'"]),
    deps_pip=ct.DepsPip(packages=["boto3>=1"]),
    call_before=ct.DepsCall(make, args=[21], retval_keyword="answer"),
    call_after=ct.DepsCall(leave, args=[mark]),
)
def fine(answer=None):
    return answer

@ct.electron(executor="lambdamagic", deps_pip=ct.DepsPip(packages=["boto3<1", "no-such-package"]))
def lacks():
    return 1

@ct.electron(executor="lambdamagic", deps_bash="apt-get install -y gcc")
def installs():
    return 1

@ct.electron(executor="lambdamagic", deps_bash="echo why >&2; exit 3")
def breaks():
    return 1

@ct.lattice
def good():
    return fine()

@ct.lattice
def bad():
    return lacks(), installs(), breaks()

found, failed = ct.dispatch(good)(), wait(ct.dispatch(bad)())
found = wait(found)
import lambdamagic
sent = [job.label for job in lambdamagic.list_jobs(count=10) if failed.dispatch_id in job.label]
answer = found.result, nodes(found)["fine"], open(mark).read(), nodes(failed), sent
""")
    result, fine, mark, failed, sent = answer
    assert (result, mark, fine["stdout"]) == (42, "after", "from bash\n")
    assert "boto3<1 is required, the function has" in failed["lacks"]["stderr"]
    assert "no-such-package is missing" in failed["lacks"]["stderr"]
    assert "lambdamagic deploy --add 'boto3<1' --add 'no-such-package'" in failed["lacks"]["stderr"]
    assert "'apt-get'" in failed["installs"]["stderr"]
    assert failed["breaks"]["stderr"].startswith("why\n") and "exit status 3" in failed["breaks"]["stderr"]
    assert [label.split()[0] for label in sent] == ["breaks"]


def test_files_that_an_electron_takes_and_gives(covalent: CovalentHome) -> None:
    """A file of Covalent's machine is there before the electron; one that it writes is on that machine after it."""
    answer = covalent.run("""
import os, tempfile
folder = tempfile.mkdtemp()
with open(folder + "/in.txt", "w") as file:
    file.write("hello")
name = os.path.basename(folder)
takes = ct.fs.FileTransfer(folder + "/in.txt", f"/tmp/{name}-in.txt")
gives = ct.fs.FileTransfer(f"/tmp/{name}-out.txt", folder + "/deep/out.txt", order=ct.fs.Order.AFTER)

@ct.electron(executor="lambdamagic", files=[takes, gives])
def shout(files=[]):
    (_, there), (out, _) = files
    with open(there) as source, open(out, "w") as target:
        target.write(source.read().upper())
    return os.path.basename(there)

@ct.lattice
def lattice():
    return shout()

found = wait(ct.dispatch(lattice)())
answer = str(found.status), nodes(found), open(folder + "/deep/out.txt").read()
""")
    assert (answer[0], answer[2]) == ("COMPLETED", "HELLO"), answer[1]


def test_redispatch(covalent: CovalentHome) -> None:
    """With other arguments; what was done with the same ones is not run again."""
    answer = covalent.run("""
import os, tempfile
folder = tempfile.mkdtemp()

@ct.electron(executor="lambdamagic")
def slow(path):
    with open(path + "/runs", "a") as file:
        file.write("x")
    return 1

@ct.electron(executor="lambdamagic")
def add(a, b):
    return a + b

@ct.lattice
def lattice(path, b):
    return add(slow(path), b)

first = ct.dispatch(lattice)(folder, 1)
one = wait(first)
again = wait(ct.redispatch(first, reuse_previous_results=True)(folder, 2))
answer = one.result, again.result, open(folder + "/runs").read()
""")
    assert answer == [2, 3, "x"]


def test_a_server_that_is_stopped_in_the_middle(covalent: CovalentHome) -> None:
    """The electron that runs is asked to stop; after the restart, what was done is there and was not run again."""
    program = """
import os

@ct.electron(executor="lambdamagic")
def first(path):
    with open(path + "/runs", "a") as file:
        file.write("x")
    return 1

@ct.electron(executor="lambdamagic")
def second(value, path):
    import os, time
    open(path + "/gate", "w").close()
    while not os.path.exists(path + "/go"):
        time.sleep(0.02)
    return value + 1

@ct.lattice
def lattice(path):
    return second(first(path), path)
"""
    dispatch_id, folder = covalent.run(
        program
        + """
import tempfile
folder = tempfile.mkdtemp()
os.mkfifo(folder + "/gate")
dispatch_id = ct.dispatch(lattice)(folder)
open(folder + "/gate").close()  # the second runs
answer = dispatch_id, folder
"""
    )
    covalent.stop_server()
    covalent.start_server()
    covalent.wait_for_server()
    # Of what was under way Covalent notes no end, and its `redispatch` would wait for that: one dispatches again.
    answer = covalent.run(
        program
        + f"""
folder = {folder!r}
import lambdamagic
stopped = ct.get_result({dispatch_id!r}, wait=False)
value = stopped.get_node_result(0)["output"].get_deserialized()
runs = open(folder + "/runs").read()
state = next(job.state for job in lambdamagic.list_jobs() if job.label.startswith("second (covalent {dispatch_id}"))
os.remove(folder + "/gate")
open(folder + "/go", "w").close()
answer = state, value, runs, wait(ct.dispatch(lattice)(folder)).result
"""
    )
    assert answer == ["cancelled", 1, "x", 2]
