"""Mistakes in the configuration that show only with the models that are known, and the files it names."""

from config.settings import Settings
from core.catalogue import CatalogueBook
from core.catalogue_check import dead_names
from core.public_key import read_public_key
from core.tracing_packages import missing


def mistakes(settings: Settings, book: CatalogueBook) -> list[str]:
    """One sentence for each; with none of them the settings can be used."""
    found = missing(settings.telemetry)
    try:
        found += dead_names(settings, book.catalogue(settings.models))
    except ValueError as error:
        found.append(str(error))
    try:
        if settings.access.jwt.public_key_file is not None:
            read_public_key(settings.access.jwt.public_key_file)
    except ValueError as error:
        found.append(str(error))
    return found
