"""What the steps that write a request's body hand to each other."""

import re
from hashlib import sha256

from schemas.chat import ChatRequest
from schemas.model import Target


class Draft:
    """One request on its way to the wire; it remembers what could not be carried, by OpenAI's names."""

    __slots__ = ("_dropped", "request", "request_id", "target")

    def __init__(self, request: ChatRequest, target: Target, request_id: str) -> None:
        self.request = request
        self.target = target
        self.request_id = request_id
        self._dropped: dict[str, None] = {}

    def drop(self, name: str) -> None:
        """Note `name` once. Names end up in a response header, and a client may write anything into one."""
        self._dropped[name if re.fullmatch(r"[\w.\-\[\]]{1,64}", name, re.ASCII) else "other"] = None

    def user(self, longest: int) -> str | None:
        """Who asks, in at most so many characters: a hash of what is longer, such as Claude Code's JSON.

        None when the client did not say.
        """
        user = self.request.user
        return user if user is None or len(user) <= longest else sha256(user.encode()).hexdigest()[:longest]

    @property
    def dropped(self) -> tuple[str, ...]:
        """The names, in the order they were noted."""
        return tuple(self._dropped)
