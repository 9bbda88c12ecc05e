"""boto3's responses that break off, in their head or body, are asked for again, and never taken for empty ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdamagic.aws.access import AwsAccess
from tests.storage.scripted import ScriptedServer, Step

_STACKS = (
    b"<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName></member></Stacks>"
    b"</DescribeStacksResult></DescribeStacksResponse>"
)
_ROLE = b"<GetRoleResponse><GetRoleResult><Role><RoleName>r</RoleName></Role></GetRoleResult></GetRoleResponse>"
_LISTING = b"<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><Contents><Key>k</Key></Contents></ListBucketResult>"
#: One service of each protocol that AWS's APIs have here: a call, its body, and what it must return.
CALLS: dict[str, tuple[bytes, Callable[[Any], Any], object]] = {
    "s3": (_LISTING, lambda client: client.list_objects_v2(Bucket="b")["Contents"][0]["Key"], "k"),
    "lambda": (b'{"Configuration": {}}', lambda client: client.get_function(FunctionName="f")["Configuration"], {}),
    "logs": (b'{"events": [{}]}', lambda client: client.filter_log_events(logGroupName="g")["events"], [{}]),
    "cloudformation": (_STACKS, lambda client: client.describe_stacks()["Stacks"][0]["StackName"], "s"),
    "iam": (_ROLE, lambda client: client.get_role(RoleName="r")["Role"]["RoleName"], "r"),
}


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("service", [*CALLS])
def test_a_response_that_was_cut_anywhere_is_asked_for_again(service: str, is_chunked: bool) -> None:
    """Whatever byte was the last to come, the answer is the one of the second attempt."""
    body, call, expected = CALLS[service]
    head = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
    head_bytes = len(f"HTTP/1.1 200 Scripted\r\n{head}\r\n\r\n")
    cuts = [Step(body=body, is_chunked=is_chunked, cut_head=length) for length in range(12, head_bytes)]
    if is_chunked:  # from here on urllib3 itself misses the end of chunks
        cuts = cuts[:-4]
    else:
        cuts += [Step(body=body, drop_after=count) for count in range(0, len(body), 7)]
    with ScriptedServer() as server:
        access = AwsAccess(region="eu-central-1", endpoint_url=server.url, access_key_id="a", secret_access_key="s")
        client = access.client(service, retries={"mode": "standard", "total_max_attempts": 1})
        for cut in cuts:
            server.steps.extend([cut, Step(body=body)])
            assert call(client) == expected, cut
            assert not server.steps
        client.close()


@pytest.mark.parametrize("service", [*CALLS])
def test_one_that_is_always_cut_is_botocores_error(service: str) -> None:
    """After some attempts; callers convert it to one of ours."""
    from botocore.exceptions import HTTPClientError

    body, call, _ = CALLS[service]
    with ScriptedServer(*[Step(body=body, cut_head=30)] * 12) as server:
        access = AwsAccess(region="eu-central-1", endpoint_url=server.url, access_key_id="a", secret_access_key="s")
        client = access.client(service, retries={"mode": "standard", "total_max_attempts": 1})
        with pytest.raises(HTTPClientError, match="before the response was whole"):
            call(client)
        client.close()
