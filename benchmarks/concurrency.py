"""1,000 synchronous invocations at once from one process: our threads, boto3's client in threads, an asyncio client.

Each client runs in a separate process against a stub of Lambda's endpoint in another, which holds every request for
six seconds. All sign each request (AWS Signature Version 4). Reported: the time from the start until the stub has all
requests at once, the client's processor time, and what it takes in memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.measure import Comparison, show

_REQUESTS, _HELD_S, _ROUNDS = 1000, 6.0, 3
_PAYLOAD = json.dumps({"lambdamagic": {}, "items": "x" * 1000}).encode()
_REGION = "eu-central-1"

_CLIENTS = ("threads", "boto3", "asyncio")


class _Stub:
    """Answers each invocation after a while, and says on request when they had come."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.now = self.most = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0]) if "content-length:" in head else 0
                await reader.readexactly(length)
                body = b'{"ok": true}'
                if head.startswith("get /stats"):
                    body = json.dumps({"last": max(self.at, default=0.0), "most": self.most}).encode()
                    self.at, self.most = [], 0
                else:
                    self.at.append(time.time())
                    self.now += 1
                    self.most = max(self.most, self.now)
                    await asyncio.sleep(_HELD_S)
                    self.now -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(f"x-amzn-RequestId: 1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run(self) -> None:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent closes it


def _threads(url: str) -> None:
    """Invoke by the product's own transport and threads."""
    from lambdamagic.aws.access import AwsAccess
    from lambdamagic.jobs.threads import DaemonThreads
    from lambdamagic.transports.lambda_api import LambdaTransport
    from lambdamagic.transports.transport import InvokeCall

    access = AwsAccess(region=_REGION, endpoint_url=url, access_key_id="AKIA", secret_access_key="secret")
    transport = LambdaTransport(access, max_connections=_REQUESTS)
    threads = DaemonThreads(_REQUESTS, "bench")
    futures = [threads.submit(lambda: transport.invoke(InvokeCall("f", _PAYLOAD))) for _ in range(_REQUESTS)]
    assert all(future.result().status == 200 for future in futures)
    transport.close()
    threads.close()


def _boto3(url: str) -> None:
    """Invoke by boto3's client in a thread pool, as one would by hand."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "lambda",
        region_name=_REGION,
        endpoint_url=url,
        aws_access_key_id="AKIA",
        aws_secret_access_key="secret",
        config=Config(max_pool_connections=_REQUESTS, retries={"max_attempts": 0}, proxies={}),
    )
    with ThreadPoolExecutor(_REQUESTS) as pool:
        calls = [pool.submit(client.invoke, FunctionName="f", Payload=_PAYLOAD) for _ in range(_REQUESTS)]
        assert all(call.result()["Payload"].read() for call in calls)


def _asyncio(url: str) -> None:
    """Invoke by asyncio's streams, signed by botocore's signer."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    signer = SigV4Auth(Credentials("AKIA", "secret"), "lambda", _REGION)
    host, port = url.removeprefix("http://").split(":")

    async def invoke() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        path = "/2015-03-31/functions/f/invocations"
        request = AWSRequest("POST", url + path, data=_PAYLOAD, headers={"X-Amz-Invocation-Type": "RequestResponse"})
        signer.add_auth(request)
        lines = {"Host": f"{host}:{port}", "Content-Length": str(len(_PAYLOAD)), **dict(request.headers.items())}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(head.encode() + b"\r\n" + _PAYLOAD)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        await reader.readexactly(int(answer.split("Content-Length: ")[1].split("\r\n")[0]))
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(invoke() for _ in range(_REQUESTS)))

    asyncio.run(all_of_them())


def _client(name: str, url: str) -> None:
    """Run one client and print what it took."""
    import boto3
    import botocore.auth  # all need it: its import is no difference between them

    assert boto3.DEFAULT_SESSION is None, botocore.auth
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, cpu = time.time(), time.process_time()
    {"threads": _threads, "boto3": _boto3, "asyncio": _asyncio}[name](url)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"began": began, "cpu_s": time.process_time() - cpu, "peak_mb": peak_mb - before_mb}))


def _measure(name: str, url: str) -> dict[str, float]:
    from urllib.request import ProxyHandler, build_opener

    command = [sys.executable, "-m", "benchmarks.concurrency", name, url]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(shown.stdout.splitlines()[-1])
    with build_opener(ProxyHandler({})).open(f"{url}/stats", timeout=30) as answer:
        stats = json.load(answer)
    return {
        "in_flight_s": stats["last"] - found["began"],
        "most": stats["most"],
        "cpu_s": found["cpu_s"],
        "peak_mb": found["peak_mb"],
    }


def main() -> list[Comparison]:
    """Run and print."""
    stub = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.concurrency", "stub"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert stub.stdout is not None
    assert stub.stdin is not None
    try:
        url = f"http://127.0.0.1:{int(stub.stdout.readline())}"
        rounds = [{name: _measure(name, url) for name in _CLIENTS} for _ in range(_ROUNDS)]
    finally:
        stub.stdin.close()
        stub.wait(30)
        stub.stdout.close()
    lines = []
    for what, field, unit in (
        ("all in flight", "in_flight_s", "s"),
        ("processor time", "cpu_s", "s"),
        ("memory", "peak_mb", "MB"),
    ):
        for other, goal in (("boto3", 1.0), ("asyncio", None)):
            ours = statistics.median(each["threads"][field] for each in rounds)
            theirs = statistics.median(each[other][field] for each in rounds)
            ratio = statistics.median(each["threads"][field] / each[other][field] for each in rounds)
            name = "boto3 in threads" if other == "boto3" else "asyncio, botocore's signer"
            lines.append(Comparison(what, name, ours, theirs, ratio, goal, unit))
    most = {name: int(min(each[name]["most"] for each in rounds)) for name in _CLIENTS}
    show(
        f"{_REQUESTS:,} invocations at once, each held for {_HELD_S:g} s",
        lines,
        [f"at once in the stub, least: {most}"],
    )
    return lines


if __name__ == "__main__":
    if sys.argv[1:] == ["stub"]:
        asyncio.run(_Stub().run())
    elif len(sys.argv) == 3:
        _client(sys.argv[1], sys.argv[2])
    else:
        main()
