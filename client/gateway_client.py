"""The client itself."""

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar

from client.answers import chat_reply, cost_of
from client.errors import StreamBroken, Unreachable
from client.places import Place, Places
from client.policy import RetryPolicy
from client.replies import ChatReply, EmbeddingReply, Usage
from client.streams import ChatStream
from client.trying import Means, Trier
from client.wire import Wire

T = TypeVar("T")
Messages = Sequence[Mapping[str, Any]]
Thinking = Literal["tags", "field", "hide"]


class GatewayClient:
    """Asks the first gateway and model that answer. Safe to use from several threads; close it at the end.

    `gateways` and `models` are tried in their order; without models the gateway's own default is asked. `timeout` is
    what a whole call may take with all its tries (of a stream: until its first content), `silence` the longest wait for
    the next byte, in seconds. `clock`, `sleep` and `rng` are the world's unless a test brings its own.
    """

    def __init__(
        self,
        gateways: str | Sequence[str] = "http://127.0.0.1:8976",
        api_key: str | None = None,
        *,
        models: Sequence[str] = (),
        timeout: float = 600.0,
        silence: float = 120.0,
        connect_timeout: float = 5.0,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        policy = retry or RetryPolicy()
        urls = [gateways] if isinstance(gateways, str) else list(gateways)
        if not urls:
            raise ValueError("there is no gateway to ask")
        self._models = tuple(models)
        self._timeout = timeout
        self._wire = Wire(api_key, connect_timeout, silence, headers or {})
        places = Places(urls, policy.rest, clock)
        # Not for secrets: it spreads retries.
        self._trier = Trier(places, policy, Means(clock, sleep, rng or random.Random()))  # noqa: S311 - see above

    def __enter__(self) -> "GatewayClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def chat(self, messages: Messages, *, thinking: Thinking = "field", **parameters: Any) -> ChatReply:
        """A whole answer; `parameters` are OpenAI's, and those that are None are not sent.

        `model` asks for that one alone, `models` for others than the client's. Raises GatewayClientError.
        """
        body, models, headers = self._prepared(messages, thinking, parameters)

        def ask(place: Place, seconds: float) -> ChatReply:
            told, said = self._wire.json("POST", _chat(place), _for(place, body), seconds, headers)
            try:
                return chat_reply(told, said, place.model or str(told.get("model")), place.gateway)
            except (KeyError, IndexError, TypeError, AttributeError) as error:
                raise Unreachable(f"{place.gateway} answered with something that is no chat") from error

        return self._trier.first_answer(models, self._timeout, ask)

    def stream(self, messages: Messages, *, thinking: Thinking = "field", **parameters: Any) -> ChatStream:
        """An answer piece by piece; its first content has come. Parameters and errors are those of `chat`.

        What fails ahead of the first content is tried elsewhere, what breaks behind it never is.
        """
        body, models, headers = self._prepared(messages, thinking, parameters)
        body |= {"stream": True, "stream_options": {"include_usage": True, **(body.get("stream_options") or {})}}

        def ask(place: Place, seconds: float) -> ChatStream:
            response = self._wire.send("POST", _chat(place), _for(place, body), seconds, headers)
            stream = ChatStream(response, place.model, place.gateway)
            try:
                stream.begin()
            except StreamBroken as broken:
                raise Unreachable(broken.message, code=broken.code, request_id=broken.request_id) from broken
            except BaseException:
                stream.close()
                raise
            return stream

        return self._trier.first_answer(models, self._timeout, ask)

    def embed(self, inputs: str | Sequence[str], *, model: str, **parameters: Any) -> EmbeddingReply:
        """A vector for each input. Raises GatewayClientError."""
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        body, headers = {"input": texts, **_given(parameters)}, _identity(parameters)

        def ask(place: Place, seconds: float) -> EmbeddingReply:
            told, said = self._wire.json("POST", f"{place.gateway}/v1/embeddings", _for(place, body), seconds, headers)
            rows = sorted(told["data"], key=lambda row: row["index"])
            vectors = tuple(tuple(map(float, row["embedding"])) for row in rows)
            ident, cost = said.get("X-Request-ID"), cost_of(said)
            return EmbeddingReply(vectors, Usage.of(told.get("usage")), model, ident, cost)

        return self._trier.first_answer((model,), self._timeout, ask)

    def count_tokens(self, messages: Messages, *, model: str, **parameters: Any) -> int:
        """How many tokens a prompt has, in Anthropic's form. Raises GatewayClientError."""
        body = {"messages": list(messages), **_given(parameters)}
        told = self._plain("POST", "/v1/messages/count_tokens", {"model": model, **body})
        return int(told["input_tokens"])

    def models(self) -> list[str]:
        """The names that may be asked for. Raises GatewayClientError."""
        return [entry["id"] for entry in self._plain("GET", "/v1/models")["data"]]

    def usage(self, **query: str) -> Mapping[str, Any]:
        """What was used and what budgets have left; the query is that of `GET /v1/usage`, `since` its `from`."""
        named = {("from" if name == "since" else name): value for name, value in query.items()}
        text = "&".join(f"{name}={value}" for name, value in named.items())
        told: Mapping[str, Any] = self._plain("GET", f"/v1/usage?{text}" if text else "/v1/usage")
        return told

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    def _plain(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        def ask(place: Place, seconds: float) -> Any:
            return self._wire.json(method, place.gateway + path, body, seconds, {})[0]

        return self._trier.first_answer(("",), self._timeout, ask)

    def _prepared(
        self, messages: Messages, thinking: Thinking, parameters: dict[str, Any]
    ) -> tuple[dict[str, Any], Sequence[str], dict[str, str]]:
        """The body without a model, the models to ask for, and the headers."""
        headers = {**_identity(parameters), "X-Thinking": thinking}
        model, models = parameters.pop("model", None), parameters.pop("models", None)
        wanted = (model,) if model is not None else tuple(models or self._models) or ("",)
        return {"messages": list(messages), **_given(parameters)}, wanted, headers


def _identity(parameters: dict[str, Any]) -> dict[str, str]:
    """One id for all tries of a call, so that they can be told to be one."""
    return {"X-Request-ID": str(parameters.pop("request_id", None) or uuid.uuid4().hex)}


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _for(place: Place, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": place.model, **body} if place.model else dict(body)


def _chat(place: Place) -> str:
    return f"{place.gateway}/v1/chat/completions"
