"""ResponseCache: answers that are given again to the same question of the same caller."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import structlog

from config.settings import ResponseCacheSettings
from core.chunk_codec import read, spelled
from schemas.chat import ChatRequest
from schemas.codec import distinct, dumps, loads
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.route import Plan
from schemas.stream import ChatChunk, Finished, KeepAlive
from services.answer_rooms import AnswerRooms
from services.recollection import Recollection

HARMLESS = frozenset({"stream", "stream_options"})
"""Fields that say how an answer is sent, and nothing of what it says."""
HEADERS = ("anthropic-beta", "anthropic-version")
BELIEVED_SECONDS = 60.0
"""So long a worker goes by its own copy: a refreshed answer is new everywhere within this time."""
NOT_FOUND_SECONDS = 0.001
"""That there is none is not believed: another worker may have it now."""
COMPLETE = frozenset({"stop", "tool_calls"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer to one question of a model is kept; `refresh`: whatever is there is not looked at."""

    name: str
    model: str
    refresh: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and who gave it."""

    provider: str
    upstream_model: str
    billed_model: str | None
    chunks: list[ChatChunk]


class ResponseCache:
    """Shared by all workers with a copy in front; what is kept belongs to one caller, one way in and one question."""

    def __init__(self, settings: ResponseCacheSettings, kept: Recollection, salt: str) -> None:
        """`salt` stands for whatever else answers depend on: the settings of the pipeline."""
        self._settings = settings
        self._salt = salt
        self._rooms = AnswerRooms(settings)
        self._recollection = kept
        self._log = structlog.get_logger(__name__)

    def place(self, request: ChatRequest, origin: Origin, plan: Plan) -> Place | Literal["bypass"] | None:
        """Where to look and to keep; "bypass" when the client wants neither, None when it is no matter of this."""
        if not self._settings.enabled:
            return None
        if origin.cache == "bypass":
            return "bypass"
        if origin.cache is None and request.sampling.temperature != 0:
            return None
        body = {name: value for name, value in request.native.body.items() if name not in HARMLESS}
        headers = [request.native.headers.get(name) for name in HEADERS]
        # Whoever would be asked, in whatever order: a rule may send the same words elsewhere for a header of theirs.
        targets = sorted([one.target.provider, one.target.model] for one in plan.candidates)
        asked = [request.native.dialect, request.thinking_mode, request.model, body, headers]
        # Whoever brings a key for the provider pays for the answer, and may be one of many behind a key of ours.
        said = [self._salt, origin.tenant, sorted(origin.own.items()), plan.rule, targets, *asked]
        return Place(f"response:{sha256(distinct(said)).hexdigest()}", request.model, origin.cache == "refresh")

    def find(self, place: Place) -> Kept | None:
        """The answer that is kept there."""
        if place.refresh:
            return None
        is_copied = self._recollection.knows(place.name)
        text = self._recollection.find({place.name: NOT_FOUND_SECONDS}).get(place.name)
        if text is None:
            return None
        try:
            told = loads(text)
            kept = Kept(told["provider"], told["upstream_model"], told.get("billed_model"), read(told["chunks"]))
        except (ValueError, KeyError, TypeError, IndexError):
            # Another version may have written it.
            self._log.warning("kept_answer_unreadable")
            return None
        if not is_copied:
            # A copy is believed for a minute only, so that this is often enough.
            self._recollection.use(place.name, self._rooms.room(place.model, kept.provider).name)
        return kept

    def recording(self, place: Place, outcome: Outcome, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        """The same chunks; they are kept once the answer has come to its end by itself."""
        heard: list[ChatChunk] = []
        for chunk in chunks:
            if not isinstance(chunk, KeepAlive):
                heard.append(chunk)
            if isinstance(chunk, Finished) and chunk.reason in COMPLETE:
                self._keep(place, outcome, heard)
            yield chunk

    def _keep(self, place: Place, outcome: Outcome, heard: list[ChatChunk]) -> None:
        provider = outcome.provider or ""
        seconds = self._rooms.seconds(place.model, provider)
        if not seconds:
            return
        told: Mapping[str, Any] = {
            "provider": outcome.provider,
            "upstream_model": outcome.upstream_model,
            "billed_model": outcome.billed_model,
            "chunks": spelled(heard).decode(),
        }
        text = dumps(told)
        if len(text) <= self._settings.max_entry_bytes:
            room = self._rooms.room(place.model, provider)
            self._recollection.keep({place.name: text.decode()}, seconds, min(seconds, BELIEVED_SECONDS), room)
