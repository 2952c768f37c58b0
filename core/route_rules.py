"""Whether a rule matches a request, and in which order weighted targets are tried."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from math import inf, log

from config.settings import MatchSettings
from core.estimating import estimate_request
from schemas.caller import Caller
from schemas.chat import ChatRequest, ImagePart


class Facts:
    """What rules look at. `names` are those of the model that was asked for; `tokens` is estimated when asked for."""

    __slots__ = ("_request", "_tokens", "caller", "names")

    def __init__(self, request: ChatRequest, caller: Caller | None, names: Sequence[str]) -> None:
        self._request = request
        self._tokens: int | None = None
        self.caller = caller
        self.names = tuple(names)

    @property
    def headers(self) -> Mapping[str, str]:
        """The caller's headers, names in lower case, without credentials."""
        return self._request.native.headers

    @property
    def tools(self) -> bool:
        """True when the model is offered tools."""
        return bool(self._request.tools)

    @property
    def images(self) -> bool:
        """True when an image is anywhere in the conversation."""
        return any(isinstance(part, ImagePart) for message in self._request.messages for part in message.parts)

    @property
    def stream(self) -> bool:
        """True when the answer is to be streamed."""
        return self._request.stream

    @property
    def tokens(self) -> int:
        """About how many tokens the prompt has."""
        if self._tokens is None:
            self._tokens = estimate_request(self._request)
        return self._tokens

    @property
    def estimate(self) -> int | None:
        """The same, None when nobody has asked yet."""
        return self._tokens


def mismatch(match: MatchSettings, facts: Facts) -> str | None:
    """Why the rule does not match, None when it does."""
    return next((reason for check in CHECKS if (reason := check(match, facts)) is not None), None)


def by_weight(weights: Mapping[str, float], key: str) -> list[str]:
    """The names in the order in which they are tried; the same for the same `key`, and without those of weight 0.

    Over many keys each name comes first as often as its share of the weights says; when one is added or taken away,
    only the keys that go to it, or were its own, move (weighted rendezvous hashing).
    """
    return sorted((name for name, weight in weights.items() if weight > 0), key=lambda name: _rank(name, weights, key))


def _rank(name: str, weights: Mapping[str, float], key: str) -> float:
    digest = sha256(f"{key}\0{name}".encode()).digest()
    drawn = (int.from_bytes(digest[:7], "big") + 0.5) / 2**56
    return -log(drawn) / weights[name]


def _fits(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def _models(match: MatchSettings, facts: Facts) -> str | None:
    if not match.models or any(_fits(name, pattern) for pattern in match.models for name in facts.names):
        return None
    return f"the model is none of {', '.join(match.models)}"


def _callers(match: MatchSettings, facts: Facts) -> str | None:
    known = (*facts.caller.known_as, facts.caller.role) if facts.caller is not None else ()
    if not match.callers or any(name in known for name in match.callers):
        return None
    return f"the caller is none of {', '.join(match.callers)}"


def _headers(match: MatchSettings, facts: Facts) -> str | None:
    for name, pattern in match.headers.items():
        value = facts.headers.get(name.lower())
        if value is None:
            return f"there is no header {name}"
        if not _fits(value, pattern):
            return f"the header {name} is not {pattern}"
    return None


def _tools(match: MatchSettings, facts: Facts) -> str | None:
    return _wanted(match.tools, facts.tools, "there are tools", "there are no tools")


def _images(match: MatchSettings, facts: Facts) -> str | None:
    if match.images is None:
        return None  # a long conversation is not searched for nothing
    return _wanted(match.images, facts.images, "there are images", "there is no image")


def _stream(match: MatchSettings, facts: Facts) -> str | None:
    return _wanted(match.stream, facts.stream, "the answer is streamed", "the answer is not streamed")


def _prompt_tokens(match: MatchSettings, facts: Facts) -> str | None:
    above, below = match.prompt_tokens.above, match.prompt_tokens.below
    if (above is None and below is None) or (-1 if above is None else above) < facts.tokens < (below or inf):
        return None
    bounds = " and ".join([f"above {above}"] * (above is not None) + [f"below {below}"] * (below is not None))
    return f"the prompt of about {facts.tokens} tokens is not {bounds}"


def _wanted(wanted: bool | None, found: bool, when_found: str, when_not: str) -> str | None:
    return None if wanted is None or wanted == found else (when_found if found else when_not)


CHECKS: Sequence[Callable[[MatchSettings, Facts], str | None]] = (
    _models,
    _callers,
    _headers,
    _tools,
    _stream,
    _images,
    _prompt_tokens,
)
"""What a rule may ask, the cheap questions first."""
