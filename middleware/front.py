"""The application that a server calls, whichever configuration is in effect."""

from collections.abc import Iterable
from typing import Any

from werkzeug.routing import Map

from middleware.base import LayeredFlask


class Front:
    """Each request goes its whole way through the application that was `current` when it came."""

    def __init__(self, current: LayeredFlask) -> None:
        self.current = current

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self.current(environ, start_response)

    def reload(self) -> None:
        """Go by what the files say now, if that can be used."""
        self.extensions["gateway"].configuration.reload("signal")

    @property
    def extensions(self) -> dict[str, Any]:
        """What belongs to the current application."""
        return self.current.extensions

    @property
    def url_map(self) -> Map:
        """The routes of the current application."""
        return self.current.url_map
