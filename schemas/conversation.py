"""Conversations that the gateway keeps: what they are made of, as they stand in the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.chat import DialectName
from schemas.usage import Usage

Item = Mapping[str, Any]
"""One item as OpenAI's Conversations API shows it, `id` included once it is kept."""
Status = Literal["completed", "incomplete"]


@dataclass(frozen=True, slots=True)
class Original:
    """A message as its client wrote it, kept where the items that stand for it would be written in another way."""

    dialect: DialectName
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item with what is nobody's business but the gateway's.

    `place` is which of how many items it is that stand for one message; the first of them has the `original`, if one
    is needed. `seal` says what a reasoning item's `encrypted_content` is, when a provider of ours made it. `failed`:
    the tool whose output this is has failed.
    """

    item: Item
    place: tuple[int, int] = (0, 1)
    original: Original | None = None
    seal: Literal["signature", "redacted"] | None = None
    failed: bool = False

    def record(self) -> dict[str, Any]:
        """As it is kept."""
        original = self.original
        extras = {
            "place": list(self.place) if self.place != (0, 1) else None,
            "original": None if original is None else {"dialect": original.dialect, "message": original.message},
            "seal": self.seal,
            "failed": self.failed or None,
        }
        return {"item": self.item, **{name: value for name, value in extras.items() if value is not None}}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "StoredItem":
        """The item that was kept so."""
        index, count = record.get("place", (0, 1))
        original = record.get("original")
        return cls(
            record["item"],
            (index, count),
            None if original is None else Original(original["dialect"], original["message"]),
            record.get("seal"),
            bool(record.get("failed")),
        )


class Kept(BaseModel):
    """What stands in the store."""

    model_config = ConfigDict(frozen=True)


class TokenSums(Kept):
    """Tokens of all turns whose usage is known."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def plus(self, usage: Usage | None) -> "TokenSums":
        """With one more turn."""
        if usage is None:
            return self
        return TokenSums(
            input=self.input + usage.prompt,
            cached=self.cached + (usage.read or 0),
            output=self.output + (usage.output or 0),
            reasoning=self.reasoning + (usage.reasoning or 0),
        )


class Conversation(Kept):
    """One conversation of `owner`; times are in seconds since the epoch.

    `next` is the number of the item that comes next, `due` its key in the list of what is to be removed one day.
    `closed`: it is being removed, and nothing may be added. `cost_usd` is what is known of it.
    """

    id: str
    owner: str
    created_at: float
    updated_at: float
    metadata: dict[str, str] = {}
    name: str | None = None
    model: str | None = None
    items: int = 0
    bytes: int = 0
    next: int = 0
    turns: int = 0
    tokens: TokenSums = TokenSums()
    cost_usd: float = 0.0
    due: str = ""
    closed: bool = False


class Turn(Kept):
    """What became of one request: `items` are those it has added, what was asked and what was answered.

    `reason` says why it is incomplete. Cost is in USD, None when no price or no usage is known.
    """

    id: str = ""
    created_at: float
    status: Status
    reason: str | None = None
    model: str
    provider: str | None = None
    upstream_model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    request_id: str
    items: tuple[str, ...] = ()
