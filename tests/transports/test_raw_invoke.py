"""`lambdamagic invoke --payload`: one event, sent once."""

from __future__ import annotations

import pytest

from lambdamagic.deploy.raw_invoke import send_event
from lambdamagic.errors import InvocationLostError
from lambdamagic.local.testing.faults import Faults

from .conftest import Account, access_to


def test_a_broken_connection_does_not_run_it_again(account: Account, faults: Faults) -> None:
    """Whether it ran is unknown, so that is said; boto3 would run it up to five times."""
    faults.stats(reset=True)
    faults.drop(after_running=True, function="f", count=None)
    with pytest.raises(InvocationLostError, match="unknown"):
        send_event(access_to(account.connection), "f", "1")
    assert sum(faults.stats()["results"].values()) == 1


def test_the_answer_comes_back(account: Account) -> None:
    """Its text, Lambda's kind of error, and the end of the log."""
    answer = send_event(access_to(account.connection), "f", "2")
    assert '"got": 2' in answer.payload and answer.error == "" and "REPORT" in answer.log_tail
    assert send_event(access_to(account.connection), "f", '"raise"').error == "Unhandled"
