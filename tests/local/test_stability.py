"""What must hold over many invocations and under changes while others run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.local.conftest import ECHO, REPORT, package


def test_many_invocations_leak_nothing(own_account):
    """Descriptors, threads and children of the server are the same after 300 invocations and 20 dead environments."""
    account = own_account()
    name = account.deploy("import os\ndef handler(e, c):\n    return os._exit(1) if e else 1\n")
    server = psutil.Process(account.connection.pid)

    def settle():
        for _ in range(10):  # the thread pools fill up at first
            account.invoke(name, 1)
        account.invoke(name, 0)
        account.client("logs").describe_log_groups()
        return server.num_fds(), server.num_threads(), len(server.children(recursive=True))

    before = settle()
    for number in range(300):
        account.invoke(name, int(number % 30 == 0))
    after = settle()
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + 8  # threads for moto are started as they are needed, up to a bound
    assert after[2] == before[2]


def test_an_update_while_invocations_run_breaks_none(account):
    """Every invocation during updates answers with the old or the new code, and later ones with the new."""
    name = account.deploy("def handler(e, c):\n    return 0\n")
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(account.invoke, name) for _ in range(30)]
        for number in range(1, 4):
            content = package({"app.py": f"def handler(e, c):\n    return {number}\n"})
            account.functions.update_function_code(FunctionName=name, ZipFile=content)
            assert account.invoke(name)["Payload"] == number
        assert {future.result()["Payload"] for future in running} <= {0, 1, 2, 3}
    assert account.invoke(name)["Payload"] == 3


def test_parallel_callers_get_their_own_answers(account):
    """Answers never cross between connections."""
    name = account.deploy(ECHO)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: account.invoke(name, n)["Payload"], range(200)))
    assert answers == list(range(200))


def test_a_queue_invokes_its_function(account, mailbox):
    """An SQS event source mapping delivers messages, as moto connects them."""
    name = account.deploy(REPORT + "def handler(e, c):\n    report(int(e['Records'][0]['body']), 'got it')\n")
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=f"source-{name}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.functions.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    sqs.send_message(QueueUrl=url, MessageBody=str(mailbox.port))
    assert mailbox.receive() == "got it"


def test_a_function_may_invoke_another(account):
    """Functions reach Invoke by the same endpoint, with their own key."""
    inner = account.deploy(ECHO)
    outer = account.deploy(
        """
        import boto3
        client = boto3.client("lambda")
        def handler(event, context):
            return client.invoke(FunctionName=event, Payload=b'"inner"')["Payload"].read().decode()
        """
    )
    assert account.invoke(outer, inner)["Payload"] == '"inner"'
