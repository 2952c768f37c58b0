"""The whole application: one for each configuration that takes effect, all of them behind one front."""

from collections.abc import Callable

from gevent import get_hub

from api import BLUEPRINTS
from api.error_shapes import ERROR_SHAPES
from config.loader import gateway_name, metrics_directory
from config.log_outputs import LogOutputs
from config.reload import ConfigurationFiles, Reading
from config.secrets import secrets_of
from config.settings import Settings
from core.catalogue import CatalogueBook
from core.clock import Clock
from middleware import stack
from middleware.base import LayeredFlask
from middleware.front import Front
from services import Services, build_services, furnish
from services.configuration_parts import Source
from services.succession import succeed


class Assembly:
    """Makes the first application, and each that follows on the same foundation."""

    def __init__(self, settings: Settings, book: CatalogueBook, clock: Clock | None = None) -> None:
        """Raises ValueError for a store, or models, that cannot be used."""
        self._book = book
        self._outputs = LogOutputs(settings.logging)
        self._outputs.events(settings.logging)
        services = build_services(
            settings,
            clock,
            shared=metrics_directory(),
            secrets=tuple(secrets_of(settings)),
            write_exchange=self._outputs.exchanges(settings.logging),
            book=self._book,
        )
        self.services = services
        self.front = Front(self._application(services))

    def follow(self, files: ConfigurationFiles, reading: Reading, announce: Callable[[], None] | None) -> None:
        """From now on other configurations may come out of `files`; `reading` is in effect."""

        def read(running: Settings) -> Reading:
            # In a thread, so that streams go on meanwhile.
            found: Reading | Exception = get_hub().threadpool.apply(_found, (files, running))
            if isinstance(found, Exception):
                raise found
            return found

        source = Source(read, files.news, self._apply, gateway_name(), announce)
        self.services.configuration.begin(reading, source)

    def _apply(self, settings: Settings) -> None:
        before, catalogue = self.services, self._book.catalogue(settings.models)
        after = furnish(
            before.base,
            settings,
            catalogue,
            before,
            secrets=tuple(secrets_of(settings)),
            write_exchange=self._outputs.exchanges(settings.logging),
        )
        application = self._application(after)
        self._outputs.events(settings.logging)
        succeed(after, before, catalogue)
        self.services, self.front.current = after, application

    def _application(self, services: Services) -> LayeredFlask:
        app = LayeredFlask(__name__, static_folder=None)
        app.extensions["gateway"] = services
        for blueprint in BLUEPRINTS:
            app.register_blueprint(blueprint(services))
        app.install(stack(services, ERROR_SHAPES, self._outputs.access(services.settings.logging)))
        return app


def _found(files: ConfigurationFiles, running: Settings) -> Reading | Exception:
    """What reading comes to: gevent would print the traceback of whatever is raised in a thread of its."""
    try:
        return files.read(running)
    except Exception as failure:  # noqa: BLE001 - raised again by whoever waits for it
        return failure
