"""Where state is kept."""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator

from config.group import Group
from config.redis_address import RedisAddress, read_address

Prefix = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+\Z")]


class StoreSettings(Group):
    """`redis_url` None keeps everything in this process and a SQLite file under `data_dir`.

    Gateways with different prefixes may share a redis. `ca_file` is whom to trust instead of the system's authorities,
    for `rediss`; the sentinels' name and password are their own.
    """

    redis_url: SecretStr | None = None
    prefix: Prefix = "glm"
    timeout: float = Field(0.2, gt=0, le=5)
    ca_file: Path | None = None
    sentinel_username: str | None = None
    sentinel_password: SecretStr | None = None

    @field_validator("redis_url")
    @classmethod
    def _can_be_read(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            read_address(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _fits_the_address(self) -> "StoreSettings":
        address = self.address
        if self.ca_file is not None and not (address and address.tls):
            raise ValueError("store.ca_file is for a redis_url that begins with rediss")
        if (self.sentinel_username or self.sentinel_password) and not (address and address.kind == "sentinel"):
            raise ValueError("store.sentinel_username and sentinel_password are for a redis_url with +sentinel")
        return self

    @cached_property
    def address(self) -> RedisAddress | None:
        """What `redis_url` says."""
        return None if self.redis_url is None else read_address(self.redis_url.get_secret_value())
