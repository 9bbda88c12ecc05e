"""A store that was closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.errors import TargetError
from lambdamagic.storage.s3 import S3ObjectStore

_ACCESS = AwsAccess(
    region="us-east-1", endpoint_url="http://127.0.0.1:9", access_key_id="key", secret_access_key="secret"
)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.put("key", [b"bytes"]),
        lambda store: store.get("key"),
        lambda store: store.exists("key"),
        lambda store: list(store.list("prefix")),
        lambda store: store.delete(["key"]),
    ],
    ids=["put", "get", "exists", "list", "delete"],
)
def test_a_closed_store_opens_no_connection(ask: Callable[[S3ObjectStore], object]) -> None:
    """A job's last words may come after its target's end; connections made for them would never be closed."""
    store = S3ObjectStore("bucket", _ACCESS)
    store.close()
    store.close()
    with pytest.raises(TargetError, match="'bucket' was closed"):
        ask(store)
