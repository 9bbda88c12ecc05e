"""Run notebook code on AWS Lambda as if it ran in the kernel.

In a notebook::

    %load_ext lambdamagic

    %%lambda --memory 4096
    model = fit(X, y)

Importing this package loads neither boto3 nor IPython nor ipywidgets; the errors are in `lambdamagic.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: what `%load_ext lambdamagic` calls."""
    from lambdamagic.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away again: what `%unload_ext lambdamagic` calls."""
    from lambdamagic.magics import unload

    unload(shell)
