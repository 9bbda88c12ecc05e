"""A proxy that closes idle connections takes the answer of a long invocation each time: it is sent twice at most."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.errors import AnswerNotTrustedError, InvocationLostError
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.pythons import python_here
from lambdamagic.transports.lambda_api import LambdaTransport
from tests.deploy.accounts import Account
from tests.jobs.functions import collect, start
from tests.local.conftest import package
from tests.tcp_proxy import tcp_proxy

_IDLE_S = 3.0
_CODE = "import time\ndef handler(event, context):\n    time.sleep(15)\n"


@pytest.mark.parametrize(("held_for_idle_s", "sent"), [(1.0, 2), (30.0, 3)], ids=["the same silence", "chance"])
def test_a_long_invocation_behind_a_proxy_that_cuts_idle_tunnels(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, held_for_idle_s: float, sent: int
) -> None:
    """The same silence twice is no accident: it is not sent again, and the error says what holds no connection.

    Silences that are shorter than any proxy waits are chance, and are borne as often as the policy says.
    """
    with LocalServer.start() as server:
        account = Account(server)
        role = account.ask("iam", "create_role", RoleName="long", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        account.ask(
            "lambda",
            "create_function",
            FunctionName="f",
            Role=role,
            Runtime=f"python{python_here()}",
            Handler="app.handler",
            Timeout=60,
            Code={"ZipFile": package({"app.py": _CODE})},
        )
        connection = server.connection
        port = urlsplit(connection.endpoint_url).port
        assert port is not None
        with tcp_proxy(port, idle_s=_IDLE_S) as proxy:
            for name in ("no_proxy", "NO_PROXY"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            transport = LambdaTransport(
                AwsAccess(
                    region=connection.region,
                    endpoint_url=f"http://lambda.localhost:{port}",
                    access_key_id=connection.access_key_id,
                    secret_access_key=connection.secret_access_key,
                )
            )
            faults = Faults(connection)
            faults.stats(reset=True)
            policy = RetryPolicy(losses=2, base_s=0.001, cap_s=0.002, idle_s=held_for_idle_s)
            try:
                values, _ = collect(start(engine, transport, [1], policy=policy))
            finally:
                transport.close()
            assert (faults.stats()["requests"]["lambda"]["Invoke"], proxy.cut) == (sent, sent)
    lost = values[0]
    assert isinstance(lost, InvocationLostError) and not isinstance(lost, AnswerNotTrustedError)
    assert ("--mode event" in str(lost.hint)) == ("a proxy or firewall" in lost.message) == (sent == 2)
