"""The client itself."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from .answers import chat_reply, embedding_reply, readable
from .connections import hard_limit, socket_of
from .errors import GatewayClientError
from .places import Place, Places, addresses
from .policy import RetryPolicy
from .questions import Messages, Question, Thinking, question
from .replies import ChatReply, EmbeddingReply
from .streams import ChatStream
from .trying import CallTime, Left, Means, Trier
from .wire import Call, Wire, foreign

T = TypeVar("T")


class GatewayClient:
    """Asks the first gateway and model that answer. Safe to use from several threads; close it at the end.

    `gateways` and `models` are tried in their order; without models the gateway's own default is asked. `timeout` is
    what a whole call may take with all its tries and waits (of a stream: until its first content), `try_timeout` what
    one of the tries may, `silence` the longest wait for the next byte of a stream, in seconds. `connections` is how
    many are kept to each gateway, `verify` may name a file with certificates to trust. `clock`, `sleep` and `rng` are
    the world's unless a test brings its own.
    """

    def __init__(
        self,
        gateways: str | Sequence[str] = "http://127.0.0.1:8976",
        api_key: str | None = None,
        *,
        models: Sequence[str] = (),
        timeout: float = 600.0,
        try_timeout: float | None = None,
        silence: float = 120.0,
        connect_timeout: float = 5.0,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        connections: int = 100,
        verify: bool | str = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        policy = retry or RetryPolicy()
        self._models = tuple(models)
        self._time = CallTime(timeout, timeout if try_timeout is None else try_timeout)
        self._wire = Wire(api_key, connect_timeout, silence, headers or {}, connections, verify)
        places = Places(addresses(gateways), policy.rest, clock)
        # Not for secrets: it spreads retries.
        self._trier = Trier(places, policy, Means(clock, sleep, rng or random.Random()))  # noqa: S311 - see above

    def __enter__(self) -> "GatewayClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def chat(self, messages: Messages, *, thinking: Thinking = "field", **parameters: Any) -> ChatReply:
        """A whole answer; `parameters` are OpenAI's, and those that are None are not sent.

        `model` asks for that one alone, `models` for others than the client's; `request_id` is sent with every try.
        Raises GatewayClientError.
        """
        asked = question(messages, thinking, self._models, parameters)

        def ask(place: Place, left: Left) -> ChatReply:
            told, said = self._wire.json(_call("/v1/chat/completions", asked, place, left))
            with readable(place.gateway):
                return chat_reply(told, said, place.model or str(told.get("model")), place.gateway)

        return self._first(asked, ask)

    def stream(self, messages: Messages, *, thinking: Thinking = "field", **parameters: Any) -> ChatStream:
        """An answer piece by piece; its first content has come. Parameters and errors are those of `chat`.

        What fails ahead of the first content is tried elsewhere, what breaks behind it never is.
        """
        asked = question(messages, thinking, self._models, parameters).streamed()

        def ask(place: Place, left: Left) -> ChatStream:
            call = _call("/v1/chat/completions", asked, place, left)
            response = self._wire.stream(call)
            stream = ChatStream(response, place.model, place.gateway, self._wire.silence)
            try:
                with foreign(place.gateway), hard_limit(socket_of(response), left()):
                    stream.begin()
            except BaseException:
                stream.close()
                raise
            return stream

        return self._first(asked, ask)

    def embed(self, inputs: str | Sequence[str], *, model: str, **parameters: Any) -> EmbeddingReply:
        """A vector for each input. Raises GatewayClientError."""
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        asked = Question.of({"input": texts, **parameters}, (model,))

        def ask(place: Place, left: Left) -> EmbeddingReply:
            told, said = self._wire.json(_call("/v1/embeddings", asked, place, left))
            with readable(place.gateway):
                return embedding_reply(told, said, model)

        return self._first(asked, ask)

    def count_tokens(self, messages: Messages, *, model: str, **parameters: Any) -> int:
        """How many tokens a prompt has, in Anthropic's form. Raises GatewayClientError."""
        asked = Question.of({"messages": list(messages), **parameters}, (model,))
        return self._read(asked, "/v1/messages/count_tokens", lambda told: int(told["input_tokens"]))

    def models(self) -> list[str]:
        """The names that may be asked for. Raises GatewayClientError."""
        return self._read(Question.of(None), "/v1/models", lambda told: [entry["id"] for entry in told["data"]])

    def usage(self, **query: str) -> Mapping[str, Any]:
        """What was used and what budgets have left; the query is that of `GET /v1/usage`, `since` its `from`.

        Raises GatewayClientError.
        """
        named = {("from" if name == "since" else name): value for name, value in query.items()}
        return self._read(Question.of(None, query=named), "/v1/usage", lambda told: {**told})

    def close(self) -> None:
        """Close every connection that is idle; streams are closed by themselves."""
        self._wire.close()

    def _read(self, asked: Question, path: str, read: Callable[[Any], T]) -> T:
        def ask(place: Place, left: Left) -> T:
            told, _ = self._wire.json(_call(path, asked, place, left))
            with readable(place.gateway):
                return read(told)

        return self._first(asked, ask)

    def _first(self, asked: Question, ask: Callable[[Place, Left], T]) -> T:
        try:
            return self._trier.first_answer(asked.models, self._time, ask)
        except GatewayClientError as error:
            error.request_id = error.request_id or asked.request_id
            raise


def _call(path: str, asked: Question, place: Place, left: Left) -> Call:
    method = "GET" if asked.body is None else "POST"
    return Call(method, place.gateway + path + asked.query, left, asked.body_for(place.model), asked.headers)
