"""Addresses of providers that lead back to the gateway itself, which would ask itself without end."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from config.layers import Origin, SettingPath
from config.masking import mask_url
from config.problems import place
from config.settings import ProviderSettings, Settings

Location = tuple[str | int, ...]
DEFAULT_PORTS = {"http": 80, "https": 443}


def circles(settings: Settings, origins: Mapping[SettingPath, Origin]) -> list[str]:
    """A line for each enabled provider whose address is this gateway's own: where it was written, and what to do.

    Clients find the gateway by the same variables (OPENAI_BASE_URL, ANTHROPIC_BASE_URL) that tell it where a provider
    is, so one set for them in the shell the gateway is started from reaches it, too.
    """
    here, port = settings.server.host, settings.server.port
    return [
        _line(name, location, url, origins)
        for name, provider in settings.providers.items()
        if provider.enabled
        for location, url in _addresses(name, provider)
        if _leads_to(url, here, port)
    ]


def _addresses(name: str, provider: ProviderSettings) -> Iterator[tuple[Location, str]]:
    """The address of an instance, and those that its keys have of their own, each with where it is set."""
    yield ("providers", name, "base_url"), provider.base_url
    for number, key in enumerate(provider.keys):
        if key.base_url is not None:
            yield ("providers", name, "keys", number, "base_url"), key.base_url


def _line(name: str, location: Location, url: str, origins: Mapping[SettingPath, Origin]) -> str:
    origin = origins.get(tuple(map(str, location)))
    advice = "write the provider's"
    if origin is not None and not origin.place:
        variable = f"GATEWAY__PROVIDERS__{name.upper().replace('-', '_')}__BASE_URL"
        advice = f"unset the variable for the gateway, or give the provider's in {variable}, which wins over it"
    return f"{place(location, origins)}: {mask_url(url)} is this gateway's own address; {advice}"


def _leads_to(url: str, here: str, port: int) -> bool:
    try:
        parts = urlsplit(url)
        asked = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return False
    host = (parts.hostname or "").rstrip(".")
    return asked == port and (host == here.lower() or (_is_local(host) and _is_local(here)))


def _is_local(host: str) -> bool:
    """True for a name or address of this machine alone, and for the address that stands for all it has."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "" or host.lower() == "localhost" or host.lower().endswith(".localhost")
    return address.is_loopback or address.is_unspecified
