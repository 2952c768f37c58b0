"""The simulated prompt cache: which beginnings of a prompt have been seen before."""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256

_LIMIT = 10_000


class PrefixMemory:
    """Remembers the prompts of each account, message by message, and forgets the oldest beyond `limit` beginnings."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._limit = limit

    def recall(self, account: str, blocks: Iterable[tuple[bytes, int]]) -> int:
        """The tokens in the longest beginning of `blocks` seen before; then the whole of it is known.

        A block is a part of the prompt as written, with its tokens.
        """
        digest, cached = account.encode(), 0
        for text, tokens in blocks:
            digest = sha256(digest + sha256(text).digest()).digest()
            cached += tokens if digest in self._seen else 0
            self._learn(digest)
        return cached

    def _learn(self, digest: bytes) -> None:
        self._seen[digest] = None
        self._seen.move_to_end(digest)
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
