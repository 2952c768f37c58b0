"""The effective configuration as text for people."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from ruamel.yaml import YAML

from config.masking import MASK, mask_text, mask_url
from config.settings import Settings


def describe(settings: Settings) -> str:
    """Return `settings` as YAML, in the order of their definition, with every secret masked."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.representer.sort_base_mapping_type_on_output = False
    text = StringIO()
    yaml.dump(plain(settings), text)
    return text.getvalue()


def plain(value: Any) -> Any:
    """The value in types that YAML and JSON have, with every secret masked."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return mask_url(secret) if "://" in secret else MASK
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    return mask_text(value) if isinstance(value, str) else value
