"""How conversations and what is in them are named, so that names stand in the order of time and nobody guesses one."""

import re
from collections.abc import Iterator
from dataclasses import replace
from secrets import token_hex

from core.store.base import Record, Records, Span
from schemas.codec import dumps
from schemas.conversation import StoredItem

DUE = "conversations_due"
"""The kind in which every conversation stands by the time at which it was looked at last, for the purge."""
NAMES = "conversation_names"
COUNTS = "conversation_counts"
PAGE = 200
"""How many records are read in one trip."""
PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "function_call_output": "fco"}
"""How the ids of items begin, by their type; those of all others begin with `item`."""
CONVERSATION_ID = re.compile(r"conv_[0-9a-f]{48}", re.ASCII)
ITEM_ID = re.compile(r"[a-z]+_[0-9a-f]{34}", re.ASCII)


def heads_of(owner: str) -> str:
    """The kind in which the owner's conversations stand by their ids."""
    return f"conversations:{owner}"


def names_of(owner: str) -> str:
    """The kind in which the owner's conversations stand by the names that they were saved under."""
    return f"{NAMES}:{owner}"


def items_of(ident: str) -> str:
    """The kind in which the conversation's items stand in their order."""
    return f"conversation_items:{ident}"


def turns_of(ident: str) -> str:
    """The kind in which the conversation's turns stand, by the key of their first item."""
    return f"conversation_turns:{ident}"


def new_conversation_id(now: float) -> str:
    """`conv_`, the time in milliseconds, and 144 bits that nobody guesses, all in hex digits."""
    return f"conv_{int(now * 1000):012x}{token_hex(18)}"


def item_key(number: int) -> str:
    """The key of the item of that number, which its id ends with."""
    return f"{number:010x}{token_hex(12)}"


def due_key(ident: str, now: float) -> str:
    """Where the conversation stands in the kind DUE if it was changed at `now`."""
    return f"{due_bound(now)}:{ident}"


def due_bound(now: float) -> str:
    """Whatever was changed before `now` stands before this."""
    return f"{max(0, int(now * 1000)):015d}"


def named(item: StoredItem, key: str) -> StoredItem:
    """The item under the id that belongs to the key."""
    ident = f"{PREFIXES.get(item.item['type'], 'item')}_{key}"
    return replace(item, item={"id": ident, **bare(item)})


def key_of(item: StoredItem) -> str:
    """Under which key the item stands."""
    return key_in(item.item["id"])


def key_in(ident: str) -> str:
    """The key of the item that has this id."""
    return ident.partition("_")[2]


def size_of(item: StoredItem) -> int:
    """How many bytes are kept for the item, its id aside."""
    return len(dumps(replace(item, item=bare(item)).record()))


def whole(records: Records, kind: str) -> Iterator[tuple[str, Record]]:
    """Every record of the kind, in order, page by page."""
    after = ""
    while True:
        found = records.page(kind, Span(after=after, limit=PAGE))
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1][0]


def bare(item: StoredItem) -> dict[str, object]:
    """The item without its id."""
    return {name: value for name, value in item.item.items() if name != "id"}
