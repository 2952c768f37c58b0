"""The simulated prompt cache knows the beginnings it has seen."""

from demo.cache import PrefixMemory

SYSTEM, FIRST, SECOND = (b"system", 100), (b"first", 10), (b"second", 5)


def test_a_new_prompt_has_nothing_cached() -> None:
    assert PrefixMemory().recall("a", [SYSTEM, FIRST]) == 0


def test_a_prompt_that_grows_finds_its_beginning() -> None:
    memory = PrefixMemory()
    memory.recall("a", [SYSTEM, FIRST])
    assert memory.recall("a", [SYSTEM, FIRST, SECOND]) == 110


def test_a_change_at_the_front_loses_everything_behind_it() -> None:
    memory = PrefixMemory()
    memory.recall("a", [SYSTEM, FIRST])
    assert memory.recall("a", [SECOND, FIRST]) == 0
    assert memory.recall("a", [SYSTEM, SECOND, FIRST]) == 100


def test_accounts_do_not_share_their_cache() -> None:
    memory = PrefixMemory()
    memory.recall("a", [SYSTEM])
    assert memory.recall("b", [SYSTEM]) == 0


def test_the_oldest_is_forgotten_beyond_the_limit() -> None:
    memory = PrefixMemory(limit=2)
    memory.recall("a", [SYSTEM])
    memory.recall("a", [FIRST])
    memory.recall("a", [SECOND])
    assert memory.recall("a", [SYSTEM]) == 0
