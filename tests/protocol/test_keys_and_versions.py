"""Names in the bucket, signatures, and the words of a mismatch."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from lambdamagic.errors import ProtocolError, VersionMismatchError
from lambdamagic.protocol import keys, versions
from lambdamagic.protocol.report import Report, parse_report


def test_the_layout_of_keys():
    """Part of the protocol: deployed functions and lifecycle rules rely on it."""
    assert keys.blob_key("ab") == "lambdamagic/blobs/ab"
    assert keys.result_key("j1", "000002", 3) == "lambdamagic/jobs/0824-j1/results/000002/3"
    assert keys.cancel_key("j1") == "lambdamagic/jobs/0824-j1/cancel"


def test_a_job_is_known_by_its_prefix():
    """The id is what the digest in front of it was made of; anything else in that place is no job."""
    for job_id in ("j1", "20260101-ab-c"):
        assert keys.read_job_prefix(keys.job_prefix(job_id)) == job_id
    for other in ("", "lambdamagic/jobs/", "lambdamagic/jobs/0824-/", "lambdamagic/jobs/0825-j1/", "other/0824-j1/"):
        assert keys.read_job_prefix(other) is None
    assert keys.read_job_prefix(keys.job_prefix("")) is None
    assert keys.read_job_prefix("lambdamagic/jobs/0824-j1") is None


def test_an_attempt_names_its_tasks():
    """Its number, the first task, and how many; the name of another process's object is refused."""
    assert keys.attempt_name(7, (40, 41, 42)) == "000007-40-3"
    assert keys.read_attempt_name("000007-40-3") == (7, range(40, 43))
    assert keys.read_attempt_name("000007-6-3") == (7, range(6, 9))
    for other in ("7-40", "7-40-3-1", "7-x-3", "7--3", "", f"7-{'1' * 40}-3"):
        with pytest.raises(ValueError, match=r"unpack|not a number of ours"):
            keys.read_attempt_name(other)
    with pytest.raises(ValueError, match=r"^'x{20}' is not a number of ours$"):
        keys.read_attempt_name(f"{'x' * 30}-1-1")


def test_kept_outcomes_have_a_prefix():
    """Of one callable, or of all."""
    assert keys.cache_prefix("ab") == "lambdamagic/cache/ab/"
    assert keys.cache_prefix() == keys.cache_prefix("") == "lambdamagic/cache/"


def test_a_request_is_known_by_its_key():
    """Job and attempt of it; a planted key, another function's, and one below it are refused."""
    assert keys.read_trigger_key(keys.trigger_key("f", "j1", "7-1-1"), "f") == ("j1", "7-1-1")
    for other in (
        keys.trigger_key("g", "j1", "7-1-1"),
        keys.trigger_key("f", "j1", "7-1-1").replace("0824", "0825"),
        keys.trigger_key("f", "j1", "a/b"),
        keys.trigger_key("f", "j1", ""),
        keys.trigger_key("f", "", "7-1-1"),
        "lambdamagic/trigger/f/x",
    ):
        with pytest.raises(ValueError, match="is not the key of a request for f"):
            keys.read_trigger_key(other, "f")


def test_a_block_is_known_by_its_key():
    """The tasks whose arguments it has."""
    assert keys.read_block_key(keys.block_key("j1", range(3, 9)), "j1") == range(3, 9)
    with pytest.raises(ValueError, match="of job j1"):
        keys.read_block_key(keys.block_key("j1", range(3, 9)).replace("-6", "-06"), "j1")


def test_names_of_variants_fit_into_a_name():
    """Up to 44 characters stay; of longer ones 37 do, with a digest that distinguishes them."""
    assert keys.variant_prefix("f") == "f"
    assert keys.variant_prefix("a" * 44) == "a" * 44
    long = keys.variant_prefix("a" * 45)
    assert (len(long), long[:38]) == (44, "a" * 37 + "-")
    assert long[38:] == hashlib.sha256(b"a" * 45).hexdigest()[:6]


def test_a_signature():
    """HMAC-SHA256 over the parts, each with its length, so that no two lists sign alike."""
    data = b"".join(len(part).to_bytes(8, "big") + part for part in (b"a", b"bc"))
    assert keys.sign(b"key", "a", "bc") == hmac.new(b"key", data, hashlib.sha256).hexdigest()
    assert keys.sign(b"key", "ab", "c") != keys.sign(b"key", "a", "bc")
    assert keys.is_signed(b"key", keys.sign(b"key", "a"), "a")
    assert not keys.is_signed(b"other", keys.sign(b"key", "a"), "a")
    assert not keys.is_signed(b"key", "", "a")
    for no_text in (None, 5, keys.sign(b"key", "a").encode()):
        assert not keys.is_signed(b"key", no_text, "a")


def test_job_keys_are_fresh():
    """32 random bytes."""
    assert len(keys.new_job_key()) == 32
    assert keys.new_job_key() != keys.new_job_key()


CLIENT = {"protocol": 1, "python": "3.12", "serializers": {"dill": "0.4.1"}}


def test_the_versions_of_this_side():
    """The picklers are those that wrote the payload."""
    assert versions.here({"dill": "1"})["serializers"] == {"dill": "1"}
    assert versions.here()["serializers"] == {}


@pytest.mark.parametrize("side", [0, 1])
def test_versions_that_are_none_are_refused(side):
    """Of either side."""
    broken = [CLIENT, CLIENT]
    broken[side] = {**CLIENT, "serializers": ["dill"]}
    with pytest.raises(ProtocolError, match="cannot be read"):
        versions.check(*broken)


def test_equal_versions_pass():
    """A patch release of a serializer makes no difference."""
    versions.check(CLIENT, {"protocol": 1, "python": "3.12", "serializers": {"dill": "0.4.9"}})


@pytest.mark.parametrize(
    ("function", "message", "hint"),
    [
        (
            {"protocol": 2, "python": "3.11"},
            "the notebook's lambdamagic uses protocol 1, the function's uses protocol 2",
            None,
        ),
        (
            {"protocol": 1, "python": "3.11"},
            "the notebook runs Python 3.12, the function runs 3.11; "
            "functions cannot be pickled from one minor version to another",
            None,
        ),
        (
            {"protocol": 1, "python": "3.12", "serializers": {}},
            "the payload was written by dill 0.4.1, which the function does not have",
            None,
        ),
        (
            {"protocol": 1, "python": "3.12", "serializers": {"dill": "0.3.8"}},
            "the payload was written by dill 0.4.1, the function has dill 0.3.8",
            "Install dill==0.3.8 in the notebook, or deploy the function again",
        ),
    ],
)
def test_the_words_of_a_mismatch(function, message, hint):
    """Both versions are named, and what fixes it."""
    with pytest.raises(VersionMismatchError) as caught:
        versions.check(CLIENT, function)
    assert caught.value.message == message
    assert caught.value.hint is not None
    if hint is not None:
        assert caught.value.hint == hint


COLD = (
    "START RequestId: 1-a Version: $LATEST\nsome output\nEND RequestId: 1-a\n"
    "REPORT RequestId: 1-a\tDuration: 12.34 ms\tBilled Duration: 113 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 87 MB\tInit Duration: 100.5 ms\t\n"
)
WARM = (
    "REPORT RequestId: 2-b\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t\n"
)


def test_report_lines_as_lambda_writes_them():
    """Cold and warm."""
    assert parse_report(COLD) == Report("1-a", 12.34, 113.0, 512, 87, 100.5)
    assert parse_report(COLD).is_cold
    warm = parse_report(COLD + WARM, "2-b")
    assert (warm.request_id, warm.billed_ms, warm.is_cold) == ("2-b", 1.0, False)


@pytest.mark.parametrize("tail", ["", "no report", "REPORT RequestId: other\tDuration: 1 ms\n"])
def test_no_report(tail):
    """A tail that was cut off, or another's line."""
    assert parse_report(tail, "mine") is None


def test_a_line_that_the_user_printed_is_not_taken():
    """Only this invocation's id counts."""
    forged = "REPORT RequestId: 9-z\tDuration: 9 ms\n"
    assert parse_report(WARM + forged, "2-b").duration_ms == 1.0
