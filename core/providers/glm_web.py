"""The chat website of Z.AI as a provider, used with the bearer tokens of its accounts.

Nothing here signs requests, answers captchas or passes for a browser: what the site refuses is reported as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from core.errors import GatewayError, UpstreamError
from core.providers.base import Provider, UpstreamRequest
from core.providers.glm_web_answer import Answer
from core.providers.glm_web_errors import http_error
from core.providers.glm_web_request import dropped_names, offered_tools, wire_body
from core.sse import SILENCE, Event
from schemas.chat import ChatRequest
from schemas.codec import dumps
from schemas.credential import Credential
from schemas.model import Target
from schemas.stream import ChatChunk, KeepAlive


class GLMWeb(Provider):
    """chat.z.ai; `base_url` is the whole URL of its chat endpoint."""

    kind: ClassVar[str] = "glm-web"

    def authorize(self, credential: Credential) -> dict[str, str]:
        return {"Authorization": f"Bearer {credential.secret}"}

    def build(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        now = self._clock.now()
        seed = f"{self.base_url}/{request_id}/{now}"
        ids = {"chat_id": str(uuid5(NAMESPACE_URL, f"{seed}/chat")), "id": str(uuid5(NAMESPACE_URL, f"{seed}/message"))}
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Origin": self._origin,
            "Referer": f"{self._origin}/",
            "X-Request-ID": request_id,
            **self.authorize(credential),
        }
        body = {**wire_body(request, target, now), **ids}
        dropped = dropped_names(request)
        return UpstreamRequest(self.base_url, headers, dumps(body), dropped=dropped, sent=body, form="glm_web")

    def decode(self, events: Iterable[Event], request: ChatRequest) -> Iterator[ChatChunk]:
        """The chunks of one answer, in time linear in its length while frames only add to it.

        What an edit rewrites after it was sent stays as sent, see `Buffer`. Tool calls come last, each of them whole.
        """
        answer = Answer(frozenset(tool.name for tool in offered_tools(request)))
        for event in _until_broken(events, answer):
            chunks = self._silent(answer) if event is SILENCE else answer.read(event)
            if answer.closed:
                break
            yield from chunks
        yield from answer.finish()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return http_error(status, headers, body)

    def probe(self, credential: Credential) -> UpstreamRequest:
        headers = {"Accept": "application/json", **self.authorize(credential)}
        return UpstreamRequest(f"{self._origin}/api/models", headers, method="GET")

    @property
    def _origin(self) -> str:
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @staticmethod
    def _silent(answer: Answer) -> list[ChatChunk]:
        answer.closed = answer.done  # the answer is whole, there is nothing left to wait for
        return [KeepAlive()]


def _until_broken(events: Iterable[Event], answer: Answer) -> Iterator[Event]:
    """The events, where a connection that fails after the end was told counts as the end."""
    try:
        yield from events
    except UpstreamError:
        if not answer.ended:
            raise
