"""What a function publishes about its packages."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any

import pytest

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol.envelope import QUESTION
from lambdamagic.protocol.holdings import (
    KEY_PREFIX,
    PACKED_MAX_CHARS,
    Holdings,
    holdings_answer,
    holdings_event,
    normal_name,
    pack,
    read_holdings,
    stored_key,
    unpack,
)

_HOLDINGS = Holdings(
    "3.12", {"numpy": "2.0", "a": "1"}, "arm64", "image", ("numpy>=2",), "deploy it", "1.0", 7, ("numpy", "m")
)
_FIELDS = json.loads(_HOLDINGS.to_json())
#: Digests do not get shorter by packing.
_MANY = Holdings("3.12", {f"package-{hashlib.sha256(b'%d' % n).hexdigest()}": str(n) for n in range(80)})


def not_fetched(key: str) -> bytes:
    raise AssertionError(key)


def test_names_are_compared_in_their_normal_form():
    """As PEP 503 says: runs of dashes, dots and underscores are one dash, and case does not matter."""
    assert normal_name("Foo.__bar-BAZ") == "foo-bar-baz"


def test_equal_content_has_equal_bytes():
    """In whichever order it was found; modules are in it only where the function listed some."""
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert Holdings("3.12", one).to_json() == Holdings("3.12", other).to_json()
    assert b" " not in Holdings("3.12", {"a": "1"}).to_json()
    assert b"modules" in _HOLDINGS.to_json()
    assert b"modules" not in Holdings("3.12").to_json()


def test_fields_of_other_versions_are_passed_over_or_missing():
    """A newer function may publish more, an older one less."""
    assert Holdings.from_json(json.dumps({**_FIELDS, "newer": 1})) == _HOLDINGS
    assert Holdings.from_json(b'{"python": "3.12"}') == Holdings("3.12")
    assert Holdings("3.12") == Holdings("3.12", {}, "x86_64", "zip", (), "", "", 1, ())


@pytest.mark.parametrize("name", _FIELDS)
def test_each_field_has_its_form(name: str):
    """Texts are texts, lists are lists of texts; a number in their place is refused."""
    wrong: list[Any] = [None, 1.5, [1], {"a": 1}, True]
    for value in wrong if name != "protocol" else ["1", -1]:
        with pytest.raises(ProtocolError, match="the function's package list cannot be read"):
            Holdings.from_json(json.dumps({**_FIELDS, name: value}))


def test_what_is_small_is_packed_and_what_is_large_is_stored():
    """The variable holds either all of it, or the digest of the document in the bucket."""
    value, document = pack(_HOLDINGS)
    assert document is None and len(value) <= PACKED_MAX_CHARS and stored_key(value) is None
    assert unpack(value, not_fetched) == _HOLDINGS
    value, document = pack(_MANY)
    assert document == _MANY.to_json()
    digest = hashlib.sha256(document).hexdigest()
    assert (value, stored_key(value)) == (f"s3:{digest}", f"{KEY_PREFIX}{digest}.json")
    asked = []
    assert unpack(value, lambda key: asked.append(key) or document) == _MANY
    assert asked == [f"{KEY_PREFIX}{digest}.json"]


def test_a_list_that_was_changed_in_the_bucket_is_refused():
    """The variable has its digest."""
    value, document = pack(_MANY)
    assert document is not None
    with pytest.raises(ProtocolError, match=f"was changed in the bucket: {KEY_PREFIX}"):
        unpack(value, lambda key: document.replace(b'"79"', b'"78"'))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2:abc", "by a newer lambdamagic"),
        ("", "by a newer lambdamagic"),
        ("1:a", "cannot be read"),
        ("1:AAAA", "cannot be read"),
        ("1:" + base64.urlsafe_b64encode(zlib.compress(b"[]")).decode(), "cannot be read"),
    ],
)
def test_a_variable_of_another_form_is_refused(value: str, said: str):
    """With what it may be."""
    with pytest.raises(ProtocolError, match=said):
        unpack(value, not_fetched)


def test_a_variable_is_unpacked_up_to_a_size():
    """Whoever may change a variable of the function does not fill the client's memory."""
    document = Holdings("3.12", made_by=" " * (1 << 20)).to_json()
    with pytest.raises(ProtocolError, match="cannot be read"):
        unpack("1:" + base64.urlsafe_b64encode(zlib.compress(document)).decode(), not_fetched)


def test_a_function_answers_what_it_holds():
    """Where no variable says it; an answer of another form is one of a function that does not know the question."""
    assert holdings_event()[QUESTION] == "holdings"
    assert read_holdings(json.dumps(holdings_answer(_HOLDINGS)).encode()) == _HOLDINGS
    for answer in (b"{}", b"no json", b"[]"):
        with pytest.raises(ProtocolError, match="does not publish its packages"):
            read_holdings(answer)
