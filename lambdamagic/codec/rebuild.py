"""Functions that payloads call when they are unpickled: the names in this module are part of the protocol.

A payload written by an older client names these functions by path, so none may be renamed or change its arguments
without a new protocol version; golden files in tests/data hold that.
"""

from __future__ import annotations

from lambdamagic.codec.rebuild_arrays import *  # noqa: F403  # all names are the protocol's
from lambdamagic.codec.rebuild_code import *  # noqa: F403
from lambdamagic.codec.rebuild_instances import *  # noqa: F403
from lambdamagic.codec.rebuild_library import *  # noqa: F403
from lambdamagic.codec.rebuild_places import *  # noqa: F403
from lambdamagic.codec.rebuild_places import _display as _display
from lambdamagic.codec.rebuild_values import *  # noqa: F403

for _each in [*vars().values()]:
    if str(getattr(_each, "__module__", "")).startswith(f"{__name__}_"):
        _each.__module__ = __name__  # pickle writes this name, and looks here
