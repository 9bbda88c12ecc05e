"""Interruptions from outside while objects are pickled or rebuilt; they are not failures of the objects."""

from __future__ import annotations


class Interruption(BaseException):
    """Raised into code of the user's to stop it; not an Exception, so that `except Exception` does not keep it."""


#: What may come while the code of an object's class runs and has nothing to do with it.
NEVER_THE_OBJECTS = (KeyboardInterrupt, Interruption)
