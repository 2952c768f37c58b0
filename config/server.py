"""The server: gunicorn with our options, in the process that calls it."""

import gc
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

from config import gunicorn as unchanging
from config.allocation import return_large_blocks
from config.descriptors import raise_limit
from config.gunicorn_arbiter import Arbiter
from config.settings import ServerSettings


class Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """Forks workers, of which each makes an application of its own; code that is loaded by then is shared by them all.

    `server` is what the workers are told of time. `read_again` reads what the workers to come are made with.
    """

    def __init__(
        self,
        server: ServerSettings,
        options: Mapping[str, Any],
        make: Callable[[], Any],
        read_again: Callable[[], object] = bool,
    ) -> None:
        self.server = server
        self.read_again = read_again
        self._options = options
        self._make = make
        super().__init__()

    def load_config(self) -> None:
        """Set what no setting changes, then what the settings say."""
        for name, value in {**vars(unchanging), **self._options}.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application; called in each worker."""
        return self._make()

    def run(self) -> None:
        """Serve until told to end; leaves by SystemExit."""
        return_large_blocks()
        raise_limit()
        # What is loaded by now is never freed: left alone by the collector, its memory stays shared with the workers.
        gc.freeze()
        gc.enable()
        Arbiter(self).run()
