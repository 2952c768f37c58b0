"""A client is shown a sign of life in time, and not more often."""

from core.signs import SignsOfLife


def test_a_sign_is_due_when_nothing_was_shown_for_the_interval() -> None:
    signs = SignsOfLife(10, now=100)
    assert not signs.due(109.9)
    assert signs.due(110)
    assert not signs.due(119)
    signs.show(119)
    assert not signs.due(128)
    assert signs.due(129)


def test_amid_data_only_a_client_that_watches_needs_one() -> None:
    assert SignsOfLife(10, now=0).due_amid_data(10)
    unwatched = SignsOfLife(10, now=0, watched=False)
    assert not unwatched.due_amid_data(10)
    assert unwatched.due(10)
