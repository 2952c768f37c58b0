"""Conversations in every home of the store: whose they are, their order, their limits, and how they go."""

from itertools import count
from typing import Any

import pytest

from config.settings import ConversationSettings
from core.errors import InvalidRequest, NotFound
from core.store.base import Span, Store
from schemas.conversation import Conversation, StoredItem, Turn
from schemas.usage import Usage
from services.conversation_copies import ConversationCopies
from services.conversation_keys import COUNTS, DUE, heads_of, items_of, names_of, turns_of
from services.conversation_purge import ConversationPurge
from services.conversations import ConversationService, Listing
from tests.contract.store_kit import together
from tests.fakes import FakeClock

ANN, BOB = "ann", "bob"
DAY = 86_400.0
ALL = Listing(limit=100, ascending=True)


class House:
    """The services over one store."""

    def __init__(self, store: Store, **settings: Any) -> None:
        self.clock = FakeClock()
        self.records = store.records
        self.counters = store.counters
        self.settings = ConversationSettings(**settings)
        self.conversations = ConversationService(store.records, self.settings, self.clock)
        self.copies = ConversationCopies(self.conversations.store, store.records)

    def purge(self, worker: str = "one") -> int:
        purge = ConversationPurge(
            self.conversations.store, self.records, self.counters, self.settings, self.clock, worker
        )
        return purge.run()

    def made(self, *texts: str, owner: str = ANN) -> str:
        return self.conversations.create(owner, {}, [said(text) for text in texts]).id

    def texts(self, ident: str, owner: str = ANN, wanted: Listing = ALL) -> list[str]:
        return [text_of(item) for item in self.conversations.items(owner, ident, wanted)[0]]

    def left(self, ident: str, owner: str = ANN) -> list[str]:
        """The kinds in which something of the conversation is still there."""
        kinds = (heads_of(owner), items_of(ident), turns_of(ident), DUE, names_of(owner))
        return [kind for kind in kinds if self.records.all(kind)]


@pytest.fixture
def house(store: Store) -> House:
    """With the settings that nobody has changed."""
    return House(store)


def said(text: str, role: str = "user") -> StoredItem:
    content = [{"type": "input_text", "text": text}]
    return StoredItem({"type": "message", "role": role, "status": "completed", "content": content})


def text_of(item: StoredItem) -> str:
    return str(item.item["content"][0]["text"])


def turn(**fields: Any) -> Turn:
    usage = Usage(uncached=10, read=5, output=7)
    told = {"created_at": 1.0, "status": "completed", "model": "m", "usage": usage, "cost_usd": 0.5, "request_id": "r"}
    return Turn(**{**told, **fields})


# What an owner does


def test_a_conversation_is_there_until_it_is_deleted(house: House) -> None:
    made = house.conversations.create(ANN, {"topic": "x"}, [said("one"), said("two")])
    assert house.conversations.get(ANN, made.id) == made
    assert (made.metadata, made.items, made.created_at) == ({"topic": "x"}, 2, house.clock.now())
    assert house.texts(made.id) == ["one", "two"]
    house.conversations.delete(ANN, made.id)
    with pytest.raises(NotFound):
        house.conversations.get(ANN, made.id)
    assert house.left(made.id) == []


def test_metadata_is_exchanged_whole(house: House) -> None:
    ident = house.conversations.create(ANN, {"a": "1", "b": "2"}, []).id
    house.clock.advance(60)
    house.conversations.update(ANN, ident, {"b": "3"})
    head = house.conversations.get(ANN, ident)
    assert head.metadata == {"b": "3"}
    assert head.updated_at - head.created_at == 60


def test_ids_are_not_guessed_from_one_another(house: House) -> None:
    idents = [house.made() for _ in range(50)]
    assert len({ident[17:] for ident in idents}) == 50
    assert all(len(ident) == len("conv_") + 48 for ident in idents)


def test_nobody_else_is_told_that_it_is_there(house: House) -> None:
    ident = house.made("secret")
    item = house.conversations.items(ANN, ident, ALL)[0][0].item["id"]
    c = house.conversations
    told = []
    for owner, one in ((BOB, ident), (ANN, ident[:-1] + ("0" if ident[-1] != "0" else "1"))):
        for verb in (
            lambda: c.get(owner, one),  # noqa: B023 - called at once
            lambda: c.update(owner, one, {}),  # noqa: B023 - called at once
            lambda: c.delete(owner, one),  # noqa: B023 - called at once
            lambda: c.items(owner, one, ALL),  # noqa: B023 - called at once
            lambda: c.add_items(owner, one, [said("x")]),  # noqa: B023 - called at once
            lambda: c.item(owner, one, item),  # noqa: B023 - called at once
            lambda: c.delete_item(owner, one, item),  # noqa: B023 - called at once
            lambda: c.turns(owner, one, ALL),  # noqa: B023 - called at once
            lambda: c.history(owner, one),  # noqa: B023 - called at once
        ):
            with pytest.raises(NotFound) as caught:
                verb()
            told.append(caught.value.message.replace(one, "ID"))
    assert len(set(told)) == 1, "what is another's and what is not there are told in the same words"
    assert house.texts(ident) == ["secret"]
    assert c.listing(BOB, Listing()) == ([], False)


@pytest.mark.parametrize("ident", ["", "conv_", "../x", "conv_" + "g" * 48, "conv_" + "A" * 48, "x" * 5000])
def test_what_is_no_id_is_not_found(house: House, ident: str) -> None:
    with pytest.raises(NotFound):
        house.conversations.get(ANN, ident)


def test_conversations_are_listed_in_pages(house: House) -> None:
    made = []
    for _ in range(5):
        made.append(house.made())
        house.clock.advance(1)
    listing = house.conversations.listing
    first, more = listing(ANN, Listing(limit=2))
    assert ([head.id for head in first], more) == ([made[4], made[3]], True)
    rest, more = listing(ANN, Listing(after=first[-1].id, limit=10))
    assert ([head.id for head in rest], more) == ([made[2], made[1], made[0]], False)
    upward, more = listing(ANN, Listing(after=made[0], limit=4, ascending=True))
    assert ([head.id for head in upward], more) == (made[1:], False)


# Items


def test_items_are_listed_in_pages_in_both_orders(house: House) -> None:
    ident = house.made(*"abcde")
    items, more = house.conversations.items(ANN, ident, Listing(limit=2))
    assert ([text_of(item) for item in items], more) == (["e", "d"], True)
    assert house.texts(ident, wanted=Listing(after=items[-1].item["id"], limit=3)) == ["c", "b", "a"]
    assert house.texts(ident, wanted=Listing(after=items[-1].item["id"], ascending=True)) == ["e"]
    with pytest.raises(InvalidRequest, match="after"):
        house.conversations.items(ANN, ident, Listing(after="nonsense"))


def test_one_item_is_read_and_deleted(house: House) -> None:
    ident = house.made("a", "b")
    before = house.conversations.get(ANN, ident).bytes
    second = house.conversations.items(ANN, ident, Listing())[0][0]
    assert house.conversations.item(ANN, ident, second.item["id"]) == second
    head = house.conversations.delete_item(ANN, ident, second.item["id"])
    assert (head.items, head.bytes) == (1, before // 2)
    assert house.texts(ident) == ["a"]
    with pytest.raises(NotFound, match="Item"):
        house.conversations.item(ANN, ident, second.item["id"])
    with pytest.raises(NotFound, match="Item"):
        house.conversations.item(ANN, house.made("x"), second.item["id"])


def test_what_is_added_stands_at_the_end(house: House) -> None:
    ident = house.made("a")
    added = house.conversations.add_items(ANN, ident, [said("b"), said("c")])
    assert [text_of(item) for item in added] == ["b", "c"]
    assert house.texts(ident) == ["a", "b", "c"]


def test_a_long_history_is_read_whole(house: House) -> None:
    texts = [str(number) for number in range(450)]
    ident = house.conversations.store.create(ANN, {}, [said(text) for text in texts]).id
    assert [text_of(item) for item in house.conversations.history(ANN, ident)[1]] == texts


# Limits


def test_there_is_room_for_so_much(store: Store) -> None:
    house = House(store, max_items=3, max_item_bytes=300, max_bytes=1024)
    ident = house.made("a", "b")
    for items, code in (
        ([said("c"), said("d")], "conversation_full"),
        ([said("x" * 300)], "item_too_large"),
        ([said(str(number)) for number in range(21)], "array_above_max_length"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            house.conversations.add_items(ANN, ident, items)
        assert (caught.value.status, caught.value.code) == (400, code)
    assert house.texts(ident) == ["a", "b"]
    full = House(store, max_bytes=1024)
    ident = full.made(*"abcdefg")
    with pytest.raises(InvalidRequest, match="1024 bytes"):
        full.conversations.add_items(ANN, ident, [said("h" * 500)])


def test_an_owner_has_so_many_conversations(store: Store) -> None:
    house = House(store, max_conversations=2)
    first = house.made()
    house.made()
    with pytest.raises(InvalidRequest) as caught:
        house.made()
    assert caught.value.code == "too_many_conversations"
    house.made(owner=BOB)
    house.conversations.delete(ANN, first)
    house.made()


def test_one_that_cannot_be_kept_whole_is_not_kept_at_all(house: House) -> None:
    endless = StoredItem({"type": "message", "role": "user", "content": [{"type": "x", "n": float("inf")}]})
    with pytest.raises(ValueError, match="1"):
        house.conversations.create(ANN, {}, [said("Hi"), endless])
    assert house.left("") == []
    assert house.records.get(COUNTS, ANN) == {"count": 0}


def test_a_count_that_a_dead_worker_left_wrong_is_put_right(store: Store) -> None:
    house = House(store, max_conversations=2)
    house.made()
    house.records.put(COUNTS, ANN, {"count": 7})
    house.made()
    with pytest.raises(InvalidRequest):
        house.made()


# Turns


def test_a_turn_is_kept_with_its_items(house: House) -> None:
    ident = house.made("earlier")
    house.conversations.store.append(ANN, ident, [said("Hi"), said("Hello", "assistant")], turn())
    house.conversations.store.append(ANN, ident, [said("And?")], turn(status="incomplete", usage=None, cost_usd=None))
    turns, more = house.conversations.turns(ANN, ident, ALL)
    assert ([one.status for one in turns], more) == (["completed", "incomplete"], False)
    items = [item.item["id"] for item in house.conversations.items(ANN, ident, ALL)[0]]
    assert [list(one.items) for one in turns] == [items[1:3], items[3:]]
    assert turns[0].usage == Usage(uncached=10, read=5, output=7)
    head = house.conversations.get(ANN, ident)
    assert (head.turns, head.tokens.input, head.tokens.cached, head.tokens.output) == (2, 15, 5, 7)
    assert (head.cost_usd, head.model) == (0.5, "m")


def test_what_its_turns_cost_is_added_up_to_the_last_digit(house: House) -> None:
    ident = house.made()
    for cost in (0.1, 0.2, 0.0000028):
        house.conversations.store.append(ANN, ident, [said("Hi")], turn(cost_usd=cost))
    assert house.conversations.get(ANN, ident).cost_usd == 0.3000028


def test_an_answer_is_kept_whatever_the_limits_are(store: Store) -> None:
    house = House(store, max_items=2, max_item_bytes=300)
    ident = house.made("a", "b")
    house.conversations.store.append(ANN, ident, [said("x" * 400)], turn())
    assert house.texts(ident)[2] == "x" * 400


def test_turns_at_the_same_time_stand_one_after_the_other_and_none_is_lost(house: House) -> None:
    ident = house.made()
    numbers = count()

    def one_turn() -> None:
        for _ in range(5):
            name = str(next(numbers))
            house.conversations.store.append(ANN, ident, [said(f"{name}?"), said(f"{name}!"), said(f"{name}.")], turn())

    together(6, one_turn)
    texts = house.texts(ident)
    blocks = [texts[at : at + 3] for at in range(0, len(texts), 3)]
    assert all([a[:-1], a[-1], b, c] == [c[:-1], "?", f"{a[:-1]}!", f"{a[:-1]}."] for a, b, c in blocks)
    assert sorted(int(block[0][:-1]) for block in blocks) == list(range(30))
    head = house.conversations.get(ANN, ident)
    assert (head.items, head.turns) == (90, 30)


def test_what_is_said_while_it_is_deleted_leaves_nothing(house: House) -> None:
    ident = house.made("a")
    store, put_all = house.conversations.store, house.records.put_all

    class Late:
        """Lets the conversation be deleted between the two steps of an addition."""

        def __getattr__(self, name: str) -> Any:
            return getattr(house.records, name)

        def put_all(self, kind: str, values: Any) -> None:
            store.remove(ANN, ident)
            put_all(kind, values)

    late = ConversationService(Late(), house.settings, house.clock)
    late.store.append(ANN, ident, [said("b")], turn())
    assert house.left(ident) == []
    with pytest.raises(NotFound):
        store.append(ANN, ident, [said("c")], turn())


# Copies


def test_what_is_saved_is_found_by_its_name(house: House) -> None:
    first = house.copies.save(ANN, "my chat", {}, [said("a")], "m")
    assert (first.name, first.model) == ("my chat", "m")
    assert house.copies.named(ANN, "my chat").id == first.id
    with pytest.raises(NotFound):
        house.copies.named(BOB, "my chat")
    second = house.copies.save(ANN, "my chat", {}, [said("b")], None)
    assert house.copies.named(ANN, "my chat").id == second.id
    with pytest.raises(NotFound):
        house.conversations.get(ANN, first.id)
    house.conversations.delete(ANN, second.id)
    with pytest.raises(NotFound):
        house.copies.named(ANN, "my chat")
    assert house.left(second.id) == []


def test_a_copy_has_the_turns_of_the_items_it_has(house: House) -> None:
    turns = [turn(items=("x", "y")), turn(items=("gone",)), turn(items=("z",), cost_usd=None)]
    head = house.copies.take_in(ANN, {"a": "b"}, {"x": said("1"), "y": said("2"), "z": said("3")}, turns)
    kept = house.conversations.turns(ANN, head.id, ALL)[0]
    items = [item.item["id"] for item in house.conversations.items(ANN, head.id, ALL)[0]]
    assert [list(one.items) for one in kept] == [items[:2], items[2:]]
    assert (head.turns, head.cost_usd, head.metadata) == (2, 0.5, {"a": "b"})


def test_an_item_is_of_one_turn_however_many_a_copy_says(house: House) -> None:
    turns = [turn(items=("x",)), *(turn(items=("x", "x")) for _ in range(50)), turn(items=("x", "y"))]
    head = house.copies.take_in(ANN, {}, {"x": said("1"), "y": said("2")}, turns)
    kept = house.conversations.turns(ANN, head.id, ALL)[0]
    items = [item.item["id"] for item in house.conversations.items(ANN, head.id, ALL)[0]]
    assert [list(one.items) for one in kept] == [items[:1], items[1:]]
    assert head.turns == 2, "as many as there are"


# The purge


def aged(house: House, days: float, number: int) -> list[str]:
    idents = [house.made("x") for _ in range(number)]
    house.clock.advance(days * DAY)
    return idents


def there(house: House) -> list[Conversation]:
    return house.conversations.listing(ANN, Listing(limit=100))[0]


def test_old_conversations_go_in_batches(store: Store) -> None:
    house = House(store, retention_days=7, purge_batch=2)
    old = aged(house, 6, 5)
    young = aged(house, 2, 1)
    assert [house.purge() for _ in range(5)] == [2, 2, 1, 0, 0]
    assert [head.id for head in there(house)] == young
    assert all(not house.records.page(items_of(ident), Span()) for ident in old)
    assert len(house.records.all(DUE)) == 1
    assert house.records.get(COUNTS, ANN) == {"count": 1}


def test_one_that_is_used_is_put_off_until_it_is_old(store: Store) -> None:
    house = House(store, retention_days=7)
    (used,) = aged(house, 5, 1)
    house.conversations.store.append(ANN, used, [said("still here")], turn())
    house.clock.advance(4 * DAY)
    assert house.purge() == 0
    assert house.purge() == 0
    assert len(house.records.all(DUE)) == 1, "it stands at its new place, and there alone"
    house.clock.advance(3 * DAY + 1)
    assert house.purge() == 1
    assert house.left(used) == []


def test_a_deleted_one_is_not_looked_at_again(store: Store) -> None:
    house = House(store, retention_days=7)
    ident = house.made("x")
    house.conversations.delete(ANN, ident)
    assert house.records.all(DUE) == {}


def test_what_a_dead_worker_has_not_removed_whole_is_removed(store: Store) -> None:
    house = House(store, retention_days=7)
    (ident,) = aged(house, 8, 1)
    house.conversations.store.change(ANN, ident, lambda head: head.model_copy(update={"closed": True}))
    assert there(house) == []
    assert house.purge() == 1
    assert house.left(ident) == []


def test_nothing_goes_where_everything_is_kept(store: Store) -> None:
    house = House(store, retention_days=None)
    aged(house, 10_000, 1)
    assert house.purge() == 0
    assert len(there(house)) == 1


def test_one_worker_purges_for_all(store: Store) -> None:
    house = House(store, retention_days=7, purge_batch=1)
    aged(house, 8, 3)
    assert house.purge("one") == 1
    assert house.purge("two") == 0
    house.clock.advance(121)
    assert house.purge("two") == 1
