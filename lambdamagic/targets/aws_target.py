"""Jobs go to a deployed function on AWS."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import Settings
from lambdamagic.deploy.function_holdings import code_mark, query_holdings
from lambdamagic.deploy.functions import FunctionFacts, account_concurrency, describe_function
from lambdamagic.deploy.parity import check_base
from lambdamagic.deploy.variants import VariantMaker
from lambdamagic.errors import ConfigError, FunctionMissingError, LambdaMagicError, VersionMismatchError
from lambdamagic.jobs.charges import note_invocation
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.prices import snapshot_month_usd
from lambdamagic.protocol.holdings import Holdings, unpack
from lambdamagic.protocol.report import parse_report
from lambdamagic.pythons import python_here
from lambdamagic.targets.account_target import Account
from lambdamagic.targets.target import FunctionWish

#: Asks the user something; False is no; None if no prompt is possible.
Ask = Callable[[str], bool | None]

#: Smaller jobs do not wait for an answer about the account: being refused once teaches as much.
_ASKED_ABOVE = 100


class AwsTarget(Account):
    """A deployed function, its variants in other sizes, and its bucket.

    Args:
        settings: The settings; `function` must be set, `bucket` should be.
        access: The account; by default the one that boto3 finds by the settings.
        ask: Asks whether a variant may be made; without it there is no prompt.
    """

    name = "aws"

    def __init__(self, settings: Settings, access: AwsAccess | None = None, *, ask: Ask | None = None) -> None:
        if settings.function is None:
            raise FunctionMissingError(
                "no Lambda function is configured for target 'aws'",
                hint="Deploy one with the notebook's packages: %lambda deploy, or `lambdamagic deploy "
                "--from-notebook FILE` in a terminal; or set an existing function "
                "(LAMBDAMAGIC_FUNCTION), or use --target local",
            )
        super().__init__(
            access or AwsAccess(region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url),
            bucket=settings.bucket,
            max_connections=settings.max_concurrency,
        )
        self._name = settings.function
        self._policy = settings.variants
        self._ask = ask
        self._answer: bool | None = None
        self._facts: FunctionFacts | None = None
        self._functions: dict[tuple[int, int], FunctionRef] = {}
        self._marks: dict[str, str | None] = {}
        self._answers: dict[tuple[str, str | None], Holdings | None] = {}
        self._bucket = settings.bucket
        self._variants = VariantMaker(self.access, settings.function, bucket=settings.bucket)
        self._making = threading.Lock()
        self._asking = threading.Lock()
        self._has_asked, self._asked_usd = False, 0.0
        self._account_limit: int | None = None

    is_billed = True

    def concurrency(self, wanted: int, *, is_explicit: bool) -> int:
        """Return what the settings say, within the account's limit if that may be asked for.

        A limit that is not known, or that others use too, shows itself as throttling, and is learnt from that.
        """
        if wanted <= _ASKED_ABOVE:
            return wanted
        with self._lock:
            if not self._has_asked:
                self._has_asked, self._account_limit = True, account_concurrency(self.access)
            limit = self._account_limit
        return wanted if limit is None else max(1, min(wanted, limit))

    def is_alive(self) -> bool:
        """Return True: AWS does not die."""
        return True

    def refresh(self) -> None:
        """Look at the function and its variants again at the next request."""
        with self._making:
            self._forget()

    def _forget(self) -> None:
        self._facts = None
        self._functions.clear()
        self._answers = {key: answered for key, answered in self._answers.items() if key[1] is not None}
        self._variants = VariantMaker(self.access, self._name, bucket=self._bucket)

    def function_for(self, wish: FunctionWish) -> FunctionRef:
        """Return the deployed function if it is large enough, else its variant of the size that was asked for.

        Raises:
            FunctionMissingError: It does not exist.
            NotOursError: Its handler is not lambdamagic's.
            VersionMismatchError: It runs another Python, or its lambdamagic uses another protocol.
            ConfigError: It is smaller than what was asked for explicitly, and no variant is to be made.
            TargetError: The variant cannot be made.
        """
        with self._making:
            facts = self._base(wish.python)
            memory_mb = max(wish.least_memory_mb, facts.memory_mb)
            timeout_s = max(wish.least_timeout_s, facts.timeout_s)
            known = self._functions.get((memory_mb, timeout_s))
            if known is None:
                if (memory_mb, timeout_s) != (facts.memory_mb, facts.timeout_s):
                    self._forget()  # it may have been made larger since it was looked at
                    facts = self._base(wish.python)
                    memory_mb, timeout_s = max(memory_mb, facts.memory_mb), max(timeout_s, facts.timeout_s)
                if (memory_mb, timeout_s) != (facts.memory_mb, facts.timeout_s):
                    facts = self._variant(facts, wish, memory_mb, timeout_s)
                known = FunctionRef(
                    facts.name,
                    facts.memory_mb,
                    facts.timeout_s,
                    facts.arch,
                    self._holdings(facts),
                    invoker=facts.invoker,
                    limits=facts.limits,
                    runs_graphs=facts.runs_graphs,
                    is_restored=facts.is_restored,
                )
                self._functions[memory_mb, timeout_s] = known
                self._marks[known.name] = code_mark(facts.configuration)
            return known

    def ask_holdings(self, function: FunctionRef) -> Holdings | None:
        """Return what a function says that it holds, asked once per version of its code.

        Raises:
            VersionMismatchError: It runs another Python, or its lambdamagic uses another protocol.
        """
        mark = self._marks.get(function.name)
        with self._asking:
            if (function.name, mark) not in self._answers:
                self._answers[function.name, mark] = query_holdings(
                    self.transport,
                    function.name,
                    mark=mark,
                    timeout_s=function.timeout_s,
                    on_billed=lambda log_tail: self._note_question(function, log_tail),
                )
            answered = self._answers[function.name, mark]
        if answered is not None:
            check_base(answered, function=function.name, python=python_here())
        return answered

    def _note_question(self, function: FunctionRef, log_tail: str) -> None:
        label, where = f"what {function.name} holds", self.whereabouts()
        self._asked_usd += note_invocation(label, parse_report(log_tail), where, region=self.region, arch=function.arch)

    def take_asked_usd(self) -> float:
        """Return what questions to functions have cost since the last call."""
        with self._asking:
            asked_usd, self._asked_usd = self._asked_usd, 0.0
        return asked_usd

    def _base(self, python: str) -> FunctionFacts:
        if self._facts is None:
            facts = describe_function(self.access, self._name)
            facts.check_ours()
            if facts.runtime and facts.runtime != f"python{python}":
                raise VersionMismatchError(
                    f"the function {self._name} runs {facts.runtime}, the notebook runs Python {python}",
                    hint=f"Deploy one under another name: `lambdamagic deploy {_named_for(facts, python)}`; or "
                    "set an existing one (LAMBDAMAGIC_FUNCTION), or use --target local",
                )
            holdings = self._holdings(facts)
            if holdings is not None:
                check_base(holdings, function=self._name, python=python)
            self._facts = facts
        return self._facts

    def _holdings(self, facts: FunctionFacts) -> Holdings | None:
        """Return what a function publishes; where that cannot be read, nothing is compared."""
        if facts.held is None:
            return None
        try:
            return unpack(facts.held, self._fetch)
        except (LambdaMagicError, FileNotFoundError):
            return None  # the function may have everything; `lambdamagic doctor` shows what is wrong

    def _fetch(self, key: str) -> bytes:
        if self._store is None:
            raise FileNotFoundError(key)
        return bytes(self._store.get(key))

    def _variant(self, base: FunctionFacts, wish: FunctionWish, memory_mb: int, timeout_s: int) -> FunctionFacts:
        small = (
            f"the function {base.name} has {base.memory_mb:,} MB and {base.timeout_s} s; "
            f"this job needs {wish.memory_mb:,} MB and {wish.timeout_s} s"
        )
        if self._policy == "never":
            raise ConfigError(small, hint='Ask for less with --memory and --timeout, or set variants = "always"')
        name = self._variants.name(base, memory_mb, timeout_s, wish.python)
        found = self._variants.find(name, memory_mb, timeout_s)
        if found is not None:
            return found
        base.limits.memory_mb.warn_above("a memory", memory_mb)
        base.limits.timeout_s.warn_above("a timeout", timeout_s)
        if self._policy == "ask" and not self._may_make(name, base, memory_mb, timeout_s):
            raise ConfigError(
                small,
                hint='Allow a variant of that size: set variants = "always" (LAMBDAMAGIC_VARIANTS=always, '
                'or in a notebook %config LambdaMagics.variants = "always"); or ask for less',
            )
        return self._variants.make(name, memory_mb, timeout_s)

    def _may_make(self, name: str, base: FunctionFacts, memory_mb: int, timeout_s: int) -> bool:
        """Ask once; what was answered holds as long as this target is open."""
        if self._answer is None and self._ask is not None and threading.current_thread() is threading.main_thread():
            idle = "Idle functions cost nothing."
            if base.is_restored:
                usd = snapshot_month_usd(memory_mb)
                idle = f"With SnapStart its snapshot costs about {usd:.2f} USD a month, also when it is idle."
            self._answer = self._ask(
                f"{base.name} has {base.memory_mb:,} MB and {base.timeout_s} s. Create the variant {name} with "
                f"{memory_mb:,} MB and {timeout_s} s, and other sizes when jobs need them? "
                f"{idle}"
            )
        return bool(self._answer)

    def check(self, error: Exception) -> Exception:
        """Return the error as it is."""
        return error


def _named_for(facts: FunctionFacts, python: str) -> str:
    """Return a name for the function's sibling of another Python."""
    base = re.sub(r"-py3\d+$", "", str(facts.configuration["FunctionName"]))
    return f"{base[:26].rstrip('-')}-py{python.replace('.', '')}"
