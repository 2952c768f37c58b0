"""Where a provider's answer ends for providers that end it by closing the connection."""

from collections.abc import Callable, Iterable, Iterator

from core.errors import UpstreamError
from core.sse import SILENCE, Event


def until_ended(events: Iterable[Event], ended: Callable[[], bool]) -> Iterator[Event]:
    """The events; once `ended`, neither a connection that fails nor silence keeps the answer from being whole."""
    try:
        for event in events:
            if event is SILENCE and ended():
                return
            yield event
    except UpstreamError:
        if not ended():
            raise
