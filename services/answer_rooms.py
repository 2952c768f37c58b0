"""AnswerRooms: for how long an answer is kept, and with which others it shares its room."""

from fnmatch import fnmatchcase

from config.settings import KeepingSettings, ResponseCacheSettings
from core.store.base import Room

COMMON = "answers"


class AnswerRooms:
    """What is said of a model counts first, then what is said of the provider, then what is said of all."""

    def __init__(self, settings: ResponseCacheSettings) -> None:
        self._settings = settings

    def seconds(self, model: str, provider: str) -> float:
        """How long an answer of this model by this provider is kept; 0 for not at all."""
        said = (keeping.ttl for _, keeping in self._said(model, provider))
        return next((ttl for ttl in said if ttl is not None), self._settings.ttl)

    def room(self, model: str, provider: str) -> Room:
        """Where it is kept."""
        for name, keeping in self._said(model, provider):
            if keeping.max_bytes is not None:
                return Room(f"{COMMON}:{name}", keeping.max_bytes)
        return Room(COMMON, self._settings.max_bytes)

    def _said(self, model: str, provider: str) -> list[tuple[str, KeepingSettings]]:
        patterns = self._settings.models.items()
        fitting = (entry for entry in patterns if fnmatchcase(model.lower(), entry[0].lower()))
        said = [(f"model:{pattern}", keeping) for pattern, keeping in fitting][:1]
        if provider in self._settings.providers:
            said.append((f"provider:{provider}", self._settings.providers[provider]))
        return said
