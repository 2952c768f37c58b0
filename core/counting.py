"""Counts tokens offline, for when no provider said how many there were."""

from functools import cache
from typing import Any

from gevent import get_hub, sleep
from gevent.lock import BoundedSemaphore

from schemas.chat import ChatRequest, DocumentPart, HostedTool, ImagePart, Message, Part, TextPart, Tool
from schemas.codec import dumps

_PER_MESSAGE = 3
_PRIMING = 3
_LOW_DETAIL = 85
_HIGH_DETAIL = 765
_SLICE = 40_000


class TokenCounter:
    """Estimates with OpenAI's `o200k_base` vocabulary, which is near enough for every model; time is linear.

    The vocabulary is loaded when something is first counted, or by `load`, which takes about a second and 140 MB.
    """

    def __init__(self) -> None:
        self._encoding: Any = None
        self._loading = BoundedSemaphore()

    def load(self) -> None:
        """Load the vocabulary now, in a thread, so that other requests go on; does nothing the second time."""
        if self._encoding is None:
            with self._loading:
                self._encoding = self._encoding or get_hub().threadpool.apply(load_vocabulary)

    def count_text(self, text: str) -> int:
        """The tokens of `text`. Special tokens in it are plain text.

        Long text is counted in slices, since the library refuses a million characters; each cut adds a token at most.
        """
        if not text:
            return 0
        self.load()
        count = len(self._encoding.encode_ordinary(text[:_SLICE]))
        for start in range(_SLICE, len(text), _SLICE):
            sleep(0)  # each slice takes milliseconds, and others wait
            count += len(self._encoding.encode_ordinary(text[start : start + _SLICE]))
        return count

    def count_request(self, request: ChatRequest) -> int:
        """The tokens of the whole prompt: messages, tools and the schema the answer must follow.

        As OpenAI counts: 3 more for each message and 3 that begin the answer
        (https://github.com/openai/openai-cookbook, "How to count tokens with tiktoken"). An image is 85 at low detail
        and 765 otherwise, which is 1024 by 1024 pixels; audio, video and files are taken for an image each.
        """
        count = sum(map(self._message, request.messages)) + sum(map(self._tool, request.tools)) + _PRIMING
        if request.response_format and request.response_format.schema:
            count += self._json(request.response_format.schema)
        if request.thinking.clear is False:
            count += sum(self.count_text(message.reasoning or "") for message in request.messages)
        return count

    def _message(self, message: Message) -> int:
        texts = [message.role, message.name or ""]
        for call in message.tool_calls:
            texts += (call.name, call.arguments)
        return _PER_MESSAGE + sum(map(self.count_text, texts)) + sum(map(self._part, message.parts))

    def _part(self, part: Part) -> int:
        if isinstance(part, (TextPart, DocumentPart)) and part.text is not None:
            return self.count_text(part.text)
        low = isinstance(part, ImagePart) and part.detail == "low"
        return _LOW_DETAIL if low else _HIGH_DETAIL

    def _tool(self, tool: Tool | HostedTool) -> int:
        if isinstance(tool, HostedTool):
            return self._json(tool.body)
        return self._json({"name": tool.name, "description": tool.description, "parameters": tool.parameters})

    def _json(self, value: Any) -> int:
        return self.count_text(dumps(value).decode())


@cache
def load_vocabulary() -> Any:
    """Load what is counted with, once for this process and for those that it forks from then on."""
    import bpe_openai  # here, as a process that counts nothing never needs it

    return bpe_openai.get_encoding("o200k_base")
