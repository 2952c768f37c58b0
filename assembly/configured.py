"""What the gateway is configured by. Holds no socket, so that a server's first process may have it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from config.reload import ConfigurationFiles, Reading
from config.settings import Settings
from core.catalogue import CatalogueBook


class Configured:
    """Its files, the models it knows, and what was last read that can be used."""

    def __init__(self, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> None:
        """Reads the files; as for `load`. Raises ConfigurationError with every mistake."""
        # Imported here: it knows the providers, and what those sign by may hold unpatched sockets.
        from core.configuration_check import mistakes

        self.book = CatalogueBook()
        self.files = ConfigurationFiles(partial(mistakes, book=self.book), self._catalogue, environ, directory)
        self.reading: Reading = self.files.read()

    @property
    def settings(self) -> Settings:
        """What is to be in effect."""
        return self.reading.settings

    def read_again(self) -> None:
        """Take what the files say now, but for what only a restart can change. Raises ConfigurationError."""
        self.reading = self.files.read(self.settings)

    def _catalogue(self) -> tuple[Path, ...]:
        return self.book.files
