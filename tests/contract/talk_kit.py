"""A conversation as a client of each dialect leads it: with the whole history in every request."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.clients import ANTHROPIC, Dialect, Heard
from tests.integration.providers_kit import Kind, World

Json = dict[str, Any]


@dataclass
class Talk:
    """One conversation. `fields` go with every request."""

    world: World
    dialect: Dialect
    question: str
    stream: bool = False
    fields: Json = field(default_factory=dict)
    history: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.say(self.question)

    def say(self, text: str) -> None:
        """The user's next words."""
        self.history.append({"role": "user", "content": text})

    def ask(self, kind: Kind) -> Heard:
        """The answer of `kind`, which becomes part of the history, with a result for each tool it calls."""
        asking = {**self.fields, **self.dialect.tools("weather", "clock"), "messages": self.history}
        heard = self.dialect.ask(self.world.gateway, kind.asked, stream=self.stream, **asking)
        assert heard.status == 200, heard.body
        assert heard.ended, heard.error
        self._remember(heard)
        return heard

    @property
    def sent(self) -> list[Json]:
        """The messages that the provider was sent last."""
        messages: list[Json] = self.world.sent.body["messages"]
        return messages

    def _remember(self, heard: Heard) -> None:
        if self.dialect is ANTHROPIC:
            results = [{"type": "tool_result", "tool_use_id": ident, "content": "fine"} for ident, _, _ in heard.calls]
            self.history.append({"role": "assistant", "content": blocks_of(heard)})
            if results:
                self.history.append({"role": "user", "content": results})
            return
        calls = [
            {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}
            for ident, name, arguments in heard.calls
        ]
        called = {"tool_calls": calls} if calls else {}
        self.history.append({"role": "assistant", "content": heard.text or None, **called})
        self.history += [{"role": "tool", "tool_call_id": ident, "content": "fine"} for ident, _, _ in heard.calls]


def blocks_of(heard: Heard) -> list[Json]:
    """The content of an answer, as a client sends it back."""
    blocks: list[Json] = []
    if heard.signatures:
        blocks.append({"type": "thinking", "thinking": heard.thinking, "signature": heard.signatures[0]})
    if heard.text:
        blocks.append({"type": "text", "text": heard.text})
    for ident, name, arguments in heard.calls:
        blocks.append({"type": "tool_use", "id": ident, "name": name, "input": json.loads(arguments or "{}")})
    return blocks


def thinking_in(messages: list[Json]) -> list[tuple[str, str]]:
    """The thinking and the signature of each block in messages of Anthropic's form."""
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    found = [block for content in contents for block in content if block["type"] == "thinking"]
    return [(block["thinking"], block["signature"]) for block in found]
