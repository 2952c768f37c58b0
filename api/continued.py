"""Requests that go on with a conversation the gateway keeps."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Request

from api.conversation_input import context_of, owner_of
from api.dialects.base import Dialect, History, Inbound
from api.problems import check_finite
from core.errors import InvalidRequest
from schemas.chat import ChatRequest
from schemas.conversation import StoredItem
from services.conversation_turn import ConversationTurn
from services.conversations import ConversationService

HEADER = "x-conversation-id"
FIELD = "conversation"
RETRIES = "x-stainless-retry-count"
"""In which the SDKs of OpenAI and Anthropic count how often they have sent the same request before."""
PLACE = re.compile(r"messages\[(\d+)\]")
Parse = Callable[[Inbound], ChatRequest]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A request, and its turn in a conversation if it is part of one."""

    request: ChatRequest
    turn: ConversationTurn | None = None


class Continuing:
    """Reads requests of one dialect, with what a conversation has had so far put ahead of what they say."""

    def __init__(
        self, dialect: Dialect, history: History, conversations: ConversationService, *, in_body: bool = False
    ) -> None:
        """`in_body`: the conversation may be named in the body too, as OpenAI does it in other requests."""
        self._dialect = dialect
        self._history = history
        self._conversations = conversations
        self._in_body = in_body

    def parse(self, http: Request, inbound: Inbound) -> Parsed:
        """The canonical request. Raises InvalidRequest, which names the field, and NotFound for a conversation that
        the caller does not have."""
        named, inbound = self._named(inbound)
        if named is None:
            return Parsed(self._dialect.parse(inbound))
        head, items = self._conversations.history(owner_of(http), named)
        inbound = _in_session(inbound, named)
        if not _has_messages(inbound.body):
            return Parsed(self._dialect.parse(inbound))
        # What is asked will be kept, as the client wrote it.
        check_finite({"messages": inbound.body["messages"]})
        asked, again = self._asked(inbound.body), None
        if inbound.headers.get(RETRIES, "0") != "0":
            again = self._conversations.broken_off(head, items, asked)
            items = [item for item in items if again is None or item.item["id"] not in again.items]
        request = self._continued(inbound, items, self._dialect.parse)
        return Parsed(request, self._conversations.turn(head, asked, context_of(http).request_id, again))

    def told(self, http: Request, inbound: Inbound, parse: Parse) -> ChatRequest:
        """The request as a model would be told it, by another way to parse it; the conversation is only read.

        Raises as `parse` does.
        """
        named, inbound = self._named(inbound)
        if named is None:
            return parse(inbound)
        _, items = self._conversations.history(owner_of(http), named)
        inbound = _in_session(inbound, named)
        return self._continued(inbound, items, parse) if _has_messages(inbound.body) else parse(inbound)

    def _asked(self, body: Mapping[str, Any]) -> list[StoredItem]:
        spoken = self._history.spoken(body)
        first = len(body["messages"]) - len(spoken)
        return [item for at, message in enumerate(spoken, first) for item in self._history.items(message, at)]

    def _continued(self, inbound: Inbound, items: list[StoredItem], parse: Parse) -> ChatRequest:
        body, before = self._history.continued(inbound.body, items)
        told = len(inbound.body["messages"]) - len(self._history.spoken(inbound.body))
        try:
            return parse(replace(inbound, body=body))
        except InvalidRequest as error:
            raise _renumbered(error, told, before) from None

    def _named(self, inbound: Inbound) -> tuple[str | None, Inbound]:
        """The conversation that is meant, and the request without the field that says so."""
        enabled = self._conversations.settings.enabled
        header = inbound.headers.get(HEADER, "").strip() or None if enabled else None
        if not self._in_body or FIELD not in inbound.body:
            return header, inbound
        field = _field(inbound.body[FIELD])
        rest = {name: value for name, value in inbound.body.items() if name != FIELD}
        if field is not None and not enabled:
            raise _wrong("conversations are turned off here")
        if field is not None and header not in (None, field):
            raise _wrong(f"must be the same as in the header {HEADER}")
        return field or header, replace(inbound, body=rest, raw=b"")


def _in_session(inbound: Inbound, named: str) -> Inbound:
    """The conversation is a session, unless the client has a name of its own for that."""
    return replace(inbound, raw=b"", headers={**inbound.headers, HEADER: named})


def _field(value: Any) -> str | None:
    """The id, which may stand in an object of its own."""
    named = value.get("id") if isinstance(value, Mapping) else value
    if value is None:
        return None
    if not isinstance(named, str) or not named:
        raise _wrong("must be the id of a conversation, or an object with its id")
    return named


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest(f"{FIELD}: {what}.", param=FIELD, code="invalid_value")


def _has_messages(body: Mapping[str, Any]) -> bool:
    messages = body.get("messages")
    return isinstance(messages, list) and all(isinstance(message, Mapping) for message in messages)


def _renumbered(error: InvalidRequest, told: int, before: int) -> InvalidRequest:
    """The error under the number that the message has in the client's own request."""

    def number(found: re.Match[str]) -> str:
        at = int(found[1])
        return f"messages[{at if at < told else max(told, at - before)}]"

    error.param = PLACE.sub(number, error.param) if error.param else error.param
    error.message = PLACE.sub(number, error.message)
    return error
