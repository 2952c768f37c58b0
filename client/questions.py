"""What is asked, before it is known where."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlencode

Messages = Sequence[Mapping[str, Any]]
Thinking = Literal["tags", "field", "hide"]


@dataclass(frozen=True)
class Question:
    """A body without its model (None for a question without a body), the models to ask for in turn, and headers.

    All tries of a call bear the same `X-Request-ID`, so that they can be told to be one.
    """

    body: Mapping[str, Any] | None
    models: Sequence[str]
    request_id: str
    query: str = ""
    more_headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, parameters: Mapping[str, Any] | None, models: Sequence[str] = ("",), query: Mapping[str, str] | None = None
    ) -> "Question":
        """From what the caller gives; what is None is not sent, and `request_id` is no part of the body."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        request_id = str(given.pop("request_id", None) or uuid.uuid4().hex)
        return cls(None if parameters is None else given, models, request_id, f"?{urlencode(query)}" if query else "")

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with every try."""
        return {"X-Request-ID": self.request_id, **self.more_headers}

    def body_for(self, model: str) -> Mapping[str, Any] | None:
        """The body that asks for `model`; "" asks for none."""
        return {"model": model, **self.body} if model and self.body is not None else self.body

    def streamed(self) -> "Question":
        """The same, to be answered piece by piece."""
        body = self.body or {}
        options = {"include_usage": True, **(body.get("stream_options") or {})}
        return replace(self, body={**body, "stream": True, "stream_options": options})


def question(
    messages: Messages, thinking: Thinking, usual_models: Sequence[str], parameters: Mapping[str, Any]
) -> Question:
    """A chat: `parameters` are OpenAI's, with `model` for that one alone or `models` for others than the usual.

    Raises ValueError for `stream`, which is a method.
    """
    given = dict(parameters)
    if given.pop("stream", None):
        raise ValueError("ask by stream() for an answer piece by piece")
    model, models = given.pop("model", None), given.pop("models", None)
    wanted = (model,) if model is not None else tuple(models or usual_models) or ("",)
    asked = Question.of({"messages": list(messages), **given}, wanted)
    return replace(asked, more_headers={"X-Thinking": thinking})
