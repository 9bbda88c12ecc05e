"""`lambdamagic.put`: counted uploads and downloads, and what tasks see."""

from __future__ import annotations

import pickle

import numpy
import pytest

import lambdamagic
from lambdamagic import LambdaExecutor
from lambdamagic.errors import EncodeError
from lambdamagic.events import InvocationFinished


class Counted:
    """Counts the requests of invocations to S3."""

    def __init__(self):
        self.finished = []

    def __call__(self, event):
        if isinstance(event, InvocationFinished):
            self.finished.append(event)

    @property
    def environments(self):
        return {event.environment_id for event in self.finished}

    @property
    def requests(self):
        return sum(event.s3_requests for event in self.finished)


def puts(faults):
    """Return how many objects were written since the last reset."""
    counted = faults.stats()["requests"].get("s3", {})
    return counted.get("PutObject", 0) + counted.get("CompleteMultipartUpload", 0)


TOTAL = "def total(array, number):\n    return float(array[::4096].sum()) + number"


def test_an_array_is_uploaded_once_and_loaded_once_per_environment(faults, define):
    """50 tasks on 100 MB: one upload, one download in each environment, and none of either in a second job."""
    total = define(TOTAL)
    array = numpy.random.default_rng(0).random(100_000_000 // 8)
    reference = lambdamagic.put(array)
    expected = [total(array, number) for number in range(50)]
    counted = Counted()
    # A separate size: environments that earlier tests have left would be others than these two.
    with LambdaExecutor(max_workers=2, memory_mb=3000) as executor:
        executor.add_listener(counted)
        faults.stats(reset=True)
        assert list(executor.map(total, [reference] * 50, range(50), chunksize=5)) == expected
        assert puts(faults) == 1
        assert counted.requests == len(counted.environments) <= 2
        known = counted.environments
        counted.finished.clear()
        assert list(executor.map(total, [reference] * 50, range(50), chunksize=5)) == expected
        assert puts(faults) == 1
        assert counted.requests == len(counted.environments - known)


def test_tasks_in_one_environment_find_the_same_object(lambda_executor):
    """The object is loaded once: the second task, of another job, finds the very same one."""
    reference = lambdamagic.put(list(range(50_000)))
    with LambdaExecutor(max_workers=1) as executor:
        addresses = {executor.submit(id, reference).result() for _ in range(3)}
        addresses.update(executor.map(id, [reference] * 3))
    assert len(addresses) == 1


def test_it_is_the_object_wherever_it_is_pickled(lambda_executor, define):
    """As an argument, by keyword, inside of containers, and as a global of the function."""
    data = bytes(100_000)
    define("import lambdamagic\nREFERENCE = lambdamagic.put(bytes(100_000))")
    read = define("def read(a, b=None, c=()):\n    return [type(x).__name__ for x in (a, b, c[0]['x'], REFERENCE)]")
    reference = lambdamagic.put(data)
    found = lambda_executor.submit(read, reference, b=reference, c=({"x": reference},)).result()
    assert found == ["bytes"] * 4
    assert pickle.loads(pickle.dumps(reference)) == data
    assert reference.get() is data


def test_a_small_object_is_sent_inline(lambda_executor, faults):
    """What is small is not worth a request."""
    faults.stats(reset=True)
    assert lambda_executor.submit(sum, lambdamagic.put([1, 2, 3])).result() == 6
    assert puts(faults) == 0


def test_its_arrays_are_read_only(lambda_executor, define):
    """A task that writes into a shared array fails loudly instead of changing what others see."""
    write = define("def write(array):\n    array[0] = 1")
    with pytest.raises(ValueError, match="read-only"):
        lambda_executor.submit(write, lambdamagic.put(numpy.zeros(50_000))).result()


def test_instances_of_main_are_of_their_class(lambda_executor, define):
    """An instance of a notebook's class that was put is one of the class that the task knows."""
    define("class Point:\n    def __init__(self):\n        self.load = bytes(100_000)")
    check = define("def check(point):\n    return isinstance(point, Point)")
    reference = define("import lambdamagic\nPOINT = lambdamagic.put(Point())")
    assert lambda_executor.submit(check, reference).result()
    assert list(lambda_executor.map(check, [reference] * 3)) == [True] * 3


def test_functions_in_it_bring_what_they_read(lambda_executor, define):
    """A function inside of what was put finds its globals."""
    define("SCALE = 3\ndef scale(x):\n    return SCALE * x")
    reference = define("import lambdamagic\nPAIR = lambdamagic.put((scale, bytes(100_000)))")
    call = define("def call(pair):\n    return pair[0](14)")
    assert lambda_executor.submit(call, reference).result() == 42


def test_one_inside_of_another(lambda_executor, define):
    """What was put may hold what was put."""
    inner = lambdamagic.put(bytes(100_000))
    outer = lambdamagic.put({"inner": inner, "load": numpy.zeros(50_000)})
    size = define("def size(outer):\n    return len(outer['inner'])")
    assert lambda_executor.submit(size, outer).result() == 100_000


def test_an_object_changed_before_it_was_sent_is_refused(lambda_executor):
    """The content is that of `put`: what is no longer there cannot be sent."""
    array = numpy.random.default_rng(125).random(200_000)  # content that no other test has put into the bucket
    reference = lambdamagic.put(array)
    array[0] = 1
    with pytest.raises(EncodeError, match=r"changed after put\(\)"):
        lambda_executor.submit(len, reference).result()


def test_objects_that_cannot_be_put():
    """The message names the part that cannot be sent."""
    lock = __import__("threading").Lock()
    with lock, pytest.raises(EncodeError, match=r"\['lock'\]"):  # one that is free is sent
        lambdamagic.put({"lock": lock})


def test_how_it_looks():
    """It says what it is, in text and in HTML."""
    reference = lambdamagic.put(numpy.zeros((1000, 25)))
    assert repr(reference) == "<put once, shared by tasks: ndarray (1000, 25), 200.1 kB>"
    assert "<code>ndarray (1000, 25)</code> 200.1 kB" in reference._repr_html_()
    assert lambdamagic.put(reference) is reference
