"""Mistakes in the configuration that show only with the models that are known, and the files it names."""

from collections.abc import Callable

from config.settings import Settings
from core.catalogue import CatalogueBook
from core.catalogue_check import dead_names
from core.public_key import read_public_key
from core.route_check import Location, dead_targets
from core.tracing_packages import missing


def mistakes(settings: Settings, where: Callable[[Location], str], *, book: CatalogueBook) -> list[str]:
    """One sentence for each; with none of them the settings can be used. `where` names the place of a setting."""
    found = missing(settings.telemetry)
    try:
        catalogue = book.catalogue(settings.models)
        found += [*dead_names(settings, catalogue), *dead_targets(settings, catalogue, where)]
    except ValueError as error:
        found.append(str(error))
    try:
        if settings.access.jwt.public_key_file is not None:
            read_public_key(settings.access.jwt.public_key_file)
    except ValueError as error:
        found.append(str(error))
    return found
