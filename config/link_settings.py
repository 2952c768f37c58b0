"""Whether and how far the gateway goes to fetch what a client has linked."""

from ipaddress import ip_network

from pydantic import Field, field_validator

from config.group import Group, Seconds

MEBIBYTE = 1024 * 1024


class LinkSettings(Group):
    """Images and documents that a client gives by their address are fetched for a provider that wants them as data.

    All links of one request together are at most `max_links`, may have `max_bytes` and take `timeout` seconds. They are
    fetched from public addresses only, and from `networks`, which are addresses with a mask. Each worker keeps
    `kept_bytes` of what it has fetched for five minutes, as a conversation brings its links along with every turn.
    """

    fetch: bool = True
    max_links: int = Field(20, ge=1, le=1000)
    max_bytes: int = Field(10 * MEBIBYTE, ge=1024, le=256 * MEBIBYTE)
    timeout: Seconds = 20
    networks: tuple[str, ...] = ()
    kept_bytes: int = Field(16 * MEBIBYTE, ge=0)

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for text in networks:
            try:
                ip_network(text)
            except ValueError:
                raise ValueError(f"{text!r} is no network: write 10.1.0.0/16, or fd00:1::/32") from None
        return networks
