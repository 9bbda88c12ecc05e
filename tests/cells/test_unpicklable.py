"""What cannot be sent is named with the path to the offending part, and with what to do."""

from __future__ import annotations


def _refused(notebook, setup, body):
    notebook.ok(setup)
    before = notebook.invocations()
    error = notebook.fails(body).error
    assert type(error).__name__ == "EncodeError"
    assert notebook.invocations() == before
    return error


def test_the_path_to_a_deep_part(notebook):
    """Attributes, indices and keys are spelled as one would write them."""
    error = _refused(
        notebook,
        """
        class Callback:
            def __init__(self):
                self._lock = __import__('zlib').compressobj()
        class Model:
            def __init__(self):
                self.callbacks = [Callback()]
        model = Model()
        """,
        "model.callbacks",
    )
    assert error.message == (
        "model cannot be sent to Lambda because of model.callbacks[0]._lock: "
        "cannot pickle 'zlib.Compress' object (a zlib.Compress)"
    )
    assert error.hint.startswith("Make it inside the cell or function, leave it out (--exclude model in a cell), or ")


def test_a_part_of_a_dictionary(notebook):
    """Keys are shown by their repr."""
    error = _refused(notebook, "conf = {'a': 1, 'files': (1, open('/dev/null'))}", "conf['a']")
    assert "because of conf['files'][1]: cannot pickle" in error.message
    notebook.ok("conf['files'][1].close()")


def test_a_generator(notebook):
    """The name itself is at fault."""
    error = _refused(notebook, "gen = (i for i in range(3)); next(gen)", "list(gen)")
    assert error.message == (
        "gen cannot be sent to Lambda: cannot pickle 'generator' object: it has begun (a builtins.generator)"
    )


def test_a_closure_variable(notebook):
    """The function and its variable are named."""
    error = _refused(
        notebook,
        """
        def make():
            lock = __import__('zlib').compressobj()
            def f():
                return lock
            return f
        fn = make()
        """,
        "fn()",
    )
    assert "because of fn's closure variable lock: cannot pickle 'zlib.Compress' object" in error.message


def test_a_global_of_a_function(notebook):
    """The global is named, not the function."""
    error = _refused(notebook, "guard = __import__('zlib').compressobj()\ndef f():\n    return guard", "f()")
    assert error.message.startswith("guard cannot be sent to Lambda: ")


def test_exclude_leaves_it_out(notebook):
    """The hint works."""
    notebook.ok("guard = __import__('zlib').compressobj()")
    ran = notebook.remote("try:\n    guard\nexcept NameError:\n    r = 'left out'\nr", "--exclude guard")
    assert ran.value == "left out"


def test_a_class_attribute(notebook):
    """The class is followed."""
    error = _refused(notebook, "class A:\n    guard = __import__('zlib').compressobj()\na = A()", "a")
    assert "because of a's class.guard: cannot pickle 'zlib.Compress' object" in error.message


def test_a_getstate_that_raises(notebook):
    """It is asked where not all attributes can be sent; then the user's own error is the reason."""
    made = "class A:\n    def __getstate__(self):\n        raise TypeError('not this one')\n"
    error = _refused(notebook, f"{made}a = [A()]\na[0].held = __import__('zlib').compressobj()", "a")
    assert "because of a[0]: not this one" in error.message


def test_the_notebook_is_usable_afterwards(notebook):
    """The next cell runs."""
    _refused(notebook, "gen = (i for i in range(3)); next(gen)", "list(gen)")
    assert notebook.remote("1 + 1").value == 2
