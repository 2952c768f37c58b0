"""What the shelf of short texts promises."""

from core.store.shelf import Shelf

NOW = 1_000.0


def test_a_text_ends_with_its_time() -> None:
    shelf = Shelf()
    shelf.keep({"a": "x"}, 10, NOW)
    assert shelf.kept(["a"], NOW + 9.9) == {"a": "x"}
    assert shelf.kept(["a"], NOW + 10) == {}


def test_what_was_used_least_lately_makes_room() -> None:
    shelf = Shelf(max_bytes=1_000)
    shelf.keep({"a": "x" * 100, "b": "x" * 100, "c": "x" * 100}, 10, NOW)
    shelf.kept(["a"], NOW)
    shelf.keep({"d": "x" * 100}, 10, NOW)
    assert set(shelf.kept(["a", "b", "c", "d"], NOW)) == {"a", "c", "d"}


def test_replacing_a_text_takes_no_room() -> None:
    shelf = Shelf(max_bytes=1_000)
    for _ in range(100):
        shelf.keep({"a": "x" * 500}, 10, NOW)
    shelf.keep({"b": "y"}, 10, NOW)
    assert set(shelf.kept(["a", "b"], NOW)) == {"a", "b"}


def test_a_text_larger_than_the_shelf_is_not_kept() -> None:
    shelf = Shelf(max_bytes=1_000)
    shelf.keep({"a": "x" * 2_000}, 10, NOW)
    assert shelf.kept(["a"], NOW) == {}
    assert len(shelf) == 0


def test_what_a_text_takes_in_memory_is_counted() -> None:
    shelf = Shelf(max_bytes=2_000)
    shelf.keep({"a": "x" * 1_000, "b": "世" * 1_000}, 10, NOW)
    assert set(shelf.kept(["a", "b"], NOW)) <= {"a"}
