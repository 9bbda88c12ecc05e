"""What another process reads of a job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambdamagic.errors import IntegrityError, VersionMismatchError
from lambdamagic.protocol.manifest import Manifest, seal_block, unseal_block
from lambdamagic.protocol.payload import FrameRef, Payload

_FILE = Path(__file__).parents[1] / "data" / "manifest-v1.json"
_KEY = bytes(range(32))
_MANIFEST = Manifest(
    job_id="20261121-120000-0badcafe",
    kind="map",
    mode="event",
    label="work × 3",
    versions={"protocol": 1, "python": "3.11"},
    program=Payload((FrameRef(3), FrameRef(7, "ab" * 32)), b"abc"),
    options={"star": True},
    task_count=3,
    function="lambdamagic",
    memory_mb=1024,
    timeout_s=60,
    started_at=1.5,
)
_BLOCK = Payload((FrameRef(4),), b"\x00\x01\x02\x03")


def test_a_manifest_comes_back_as_it_was():
    """Sealed and read with the job's key."""
    assert Manifest.unsealed(_MANIFEST.sealed(_KEY), key=_KEY, job_id=_MANIFEST.job_id) == _MANIFEST


def test_old_manifests_are_read():
    """What version 1 wrote: jobs are attached by newer releases too."""
    stored = json.loads(_FILE.read_text())
    assert Manifest.unsealed(stored["manifest"].encode(), key=_KEY, job_id=_MANIFEST.job_id) == _MANIFEST
    assert unseal_block(stored["block"].encode(), range(2, 4), key=_KEY, job_id=_MANIFEST.job_id) == _BLOCK


@pytest.mark.parametrize("change", ["key", "job", "text"])
def test_only_the_jobs_own_client_can_have_written_it(change):
    """Another key, another job's manifest in its place, another text."""
    data, key, job_id = _MANIFEST.sealed(_KEY), _KEY, _MANIFEST.job_id
    if change == "key":
        key = bytes(32)
    elif change == "job":
        job_id = "20261121-120000-00000000"
    else:
        data = data.replace(b"lambdamagic", b"lambdatragic")
    with pytest.raises(IntegrityError):
        Manifest.unsealed(data, key=key, job_id=job_id)


def test_arguments_of_other_tasks_are_not_taken():
    """A block moved to another key is refused."""
    data = seal_block(_BLOCK, range(2, 4), key=_KEY, job_id="job")
    with pytest.raises(IntegrityError):
        unseal_block(data, range(4, 6), key=_KEY, job_id="job")


def test_a_newer_manifest_says_what_to_do(monkeypatch):
    """The error names the command."""
    import lambdamagic.protocol.manifest as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "VERSION", 2)
        data = _MANIFEST.sealed(_KEY)
    with pytest.raises(VersionMismatchError, match="pip install --upgrade"):
        Manifest.unsealed(data, key=_KEY, job_id=_MANIFEST.job_id)
