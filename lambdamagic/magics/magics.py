"""The magics themselves: only parsing."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    no_var_expand,
)
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.utils.process import arg_split
from traitlets import Any as AnyTrait

from lambdamagic.config import DEFAULTS, SPECS
from lambdamagic.config.fields import Spec, Value
from lambdamagic.errors import CaptureError
from lambdamagic.magics.completion import matcher
from lambdamagic.magics.lab import LabLink
from lambdamagic.magics.lines import Lines
from lambdamagic.magics.parse.arguments import (
    PrintHelp,
    choice,
    common_options,
    overrides,
    parse,
    split_expression,
    whole_number,
)
from lambdamagic.magics.refusal import WaitingCells
from lambdamagic.magics.remote_errors import shown_short
from lambdamagic.magics.session import Session


def _tokens(line: str) -> list[str]:
    """Return the words of a magic's line.

    Raises:
        UsageError: A quotation has no end.
    """
    try:
        return list(arg_split(line, posix=False)) if line else []
    except ValueError as error:
        raise UsageError(f"{line.strip()!r}: {str(error).lower()}") from None


#: `%config LambdaMagics` names the type of each; config checks the values, since it knows their limits.
_KINDS: dict[str, Any] = {kind: type(kind.capitalize(), (AnyTrait,), {}) for kind in ("str", "int", "float", "bool")}


def _traits() -> dict[str, Any]:
    """One configurable trait for each setting."""
    return {name: _trait(spec, DEFAULTS[name]) for name, spec in SPECS.items()}


def _trait(spec: Spec, default: Value) -> Any:
    parts = [spec.allowed, *([] if default is None else [f"default: {default}"])]
    trait = _KINDS[spec.kind](None, allow_none=True, help=f"{spec.help}. Takes {'; '.join(parts)}.")
    return trait.tag(config=True)


# Traits must be in the class body, where a loop cannot put them.
_Settings: Any = type(Magics)("Settings", (Magics,), {"__module__": __name__, **_traits()})


# A trailing `;` is seen by capture. IPython's `output_can_be_silenced` would tokenize the cell as Python after it has
# run, and raise for a shell command such as `!echo (`.
@magics_class
class LambdaMagics(_Settings):
    """`%%lambda`, `%lambda`, `%lambda_map` and `%%lambda_map`.

    Settings can be given as `c.LambdaMagics.memory_mb = 4096` in ipython_config.py, or with
    `%config LambdaMagics.memory_mb = 4096`.
    """

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        from_file = {name: value for name, value in shell.config.get("LambdaMagics", {}).items() if name in SPECS}
        self._from_file = dict(from_file)
        self._changed: dict[str, Any] | None = None
        self.observe(self._forget_changed, names=list(SPECS))
        self.session = Session(shell, self._given)
        self.background = self.session.background
        self.matcher = matcher(self.session, {"lambda": LambdaMagics.lambda_, "lambda_map": LambdaMagics.lambda_map})
        self.waiting = WaitingCells(shell, self.background, self.session.hidden)
        self.lab = LabLink(self.session)

    def _given(self) -> tuple[dict[str, Any], dict[str, Any]]:
        changed = self._changed  # looked through once for many cells
        if changed is None:
            now = {name: getattr(self, name) for name in SPECS if getattr(self, name) is not None}
            changed = {name: value for name, value in now.items() if self._from_file.get(name) != value}
            self._changed = changed
        return self._from_file, changed

    def _forget_changed(self, change: Any) -> None:
        self._changed = None

    @no_var_expand
    @line_cell_magic("lambda")
    @magic_arguments("%lambda")
    @argument("-o", "--out", action="append", metavar="NAMES", help="bring back these names only (default: all bound)")
    @choice("--on-missing", "fail", "rerun", help="what to do if a name of the notebook is missing on Lambda")
    @argument("--no-mutations", action="store_true", help="do not apply in-place changes to the notebook's objects")
    @common_options
    def lambda_(self, line: str, cell: str | None = None) -> Any:
        """Run the cell's body on AWS Lambda as if it ran here.

        What the body reads is captured and sent; what it binds, changes in place and shows comes back.
        Options that are not given are as `%lambda config` shows them.
        As a line magic it looks at jobs and settings: `%lambda help` lists what it can.

        Example::

            %%lambda --memory 4GB --timeout 10m
            model = fit(X, y)
            model.score(X_test, y_test)
        """
        __tracebackhide__ = True
        if cell is None:
            return Lines(self.session).run(line.split())
        if not cell.strip():
            raise CaptureError("the cell is empty", hint="Write code below the %%lambda line")
        try:
            arguments = parse(LambdaMagics.lambda_, _tokens(line))
        except PrintHelp as help_text:
            print(help_text)  # noqa: T201  # help is what was asked for
            return None
        with shown_short(self.shell):
            from lambdamagic.magics.cell import CellRun  # with all that a cell needs, at the first one

            run = CellRun(self.session, self.session.settings(overrides(arguments)), arguments)
            return run.run(f"%%lambda {line}".rstrip(), cell)

    @no_var_expand
    @line_cell_magic("lambda_map")
    @magic_arguments("%lambda_map")
    @argument(
        "--chunksize", type=whole_number, metavar="N", help="tasks per invocation (default: chosen automatically)"
    )
    @argument("--max-concurrency", type=whole_number, metavar="N", help="maximum concurrent invocations (default: 64)")
    @choice("--on-error", "raise", "return", help="raise the first exception, or return it as a result")
    @argument("--star", action="store_true", help="call fn(*item): items are tuples of arguments")
    @argument(
        "--cache", action="store_true", default=None, help="cache results, and run only tasks that are not cached"
    )
    @argument(
        "--backups", action="store_true", default=None, help="start late tasks a second time; the first outcome counts"
    )
    @common_options
    def lambda_map(self, line: str, cell: str | None = None) -> Any:
        """Call a callable for each item on AWS Lambda, many at once; results come in order.

        `%lambda_map fn items` as a line, or `%%lambda_map x in items` with a body whose last expression is collected;
        `%%lambda_map results = x in items` gives the results a name.

        Example::

            scores = %lambda_map --on-error return evaluate candidates
        """
        __tracebackhide__ = True
        options, text = split_expression(LambdaMagics.lambda_map, _tokens(line))
        try:
            arguments = parse(LambdaMagics.lambda_map, options)
        except PrintHelp as help_text:
            print(help_text)  # noqa: T201  # help is what was asked for
            return None
        with shown_short(self.shell):
            from lambdamagic.magics.mapping import MapRun

            run = MapRun(self.session, self.session.settings(overrides(arguments)), arguments)
            if cell is None:
                results = run.over_callable(text.rstrip("; "))
                return None if text.endswith(";") else results
            if not cell.strip():
                raise CaptureError("the cell is empty", hint="Write the loop's body below")
            results = run.over_body(f"%%lambda_map {line}".rstrip(), text, cell)
            return None if cell.rstrip().endswith(";") else results

    @no_var_expand
    @line_cell_magic("lambda_setup")
    def lambda_setup(self, line: str, cell: str | None = None) -> None:
        """Run the cell here, and from now on first in each execution environment of this notebook's jobs.

        For what a process needs before any cell runs: options of libraries, logging, downloads, `!pip install`. Its
        prints are shown here only; names that it binds are sent, as others, when a cell reads them. A new set-up cell
        replaces the one before; `%lambda_setup` shows it, `%lambda_setup off` removes it.

        Example::

            %%lambda_setup
            import locale, logging
            locale.setlocale(locale.LC_ALL, "C.UTF-8")
            logging.basicConfig(level="INFO")
        """
        __tracebackhide__ = True
        with shown_short(self.shell):
            from lambdamagic.magics.setup_cell import define

            define(self.session, line, cell)

    def close(self) -> None:
        """Stop what was started."""
        self.background.close()
        self.lab.close()
        self.session.close()
