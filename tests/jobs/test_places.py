"""Places that several jobs share."""

from __future__ import annotations

from lambdamagic.jobs.places import Places


def test_no_more_are_taken_than_there_are() -> None:
    """A place that was given back can be taken again."""
    places = Places(2)
    age = places.join()
    assert [places.take(age, lambda: None) for _ in range(3)] == [True, True, False]
    places.give()
    assert [places.take(age, lambda: None) for _ in range(2)] == [True, False]


def test_who_waits_is_woken_once_the_older_first() -> None:
    """Each job once, however often it asked; not for a place that was not used, which was free before."""
    places, woken = Places(1), list[str]()
    older, younger = places.join(), places.join()
    assert places.take(older, lambda: None)
    for _ in range(2):
        assert not places.take(younger, lambda: woken.append("younger"))
        assert not places.take(older, lambda: woken.append("older"))
    places.give(was_used=False)
    assert woken == []
    assert places.take(older, lambda: None)
    places.give()
    assert woken == ["older", "younger"]
    places.give()
    assert woken == ["older", "younger"]
