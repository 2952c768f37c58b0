"""Gunicorn's own messages in the gateway's log."""

from typing import Any

from gunicorn.glogging import Logger

from config.loader import ConfigurationError, load
from config.logging import configure_logging
from config.settings import LoggingSettings


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Hands everything to the log that the settings describe, in the master process too."""

    def setup(self, cfg: Any) -> None:
        """Set up gunicorn's part, then route it into the gateway's log."""
        super().setup(cfg)
        configure_logging(_logging_settings())


def _logging_settings() -> LoggingSettings:
    try:
        return load().logging
    except ConfigurationError:
        # The workers refuse such a configuration with a full report, which needs a log to stand in.
        return LoggingSettings()
