"""The short spellings of settings, turned into the settings they stand for."""

from typing import Any

from config.layers import Layer, Origin, SettingPath


def expand(layer: Layer) -> None:
    """Replace `listen_addr`, `log_level` and each provider's `api_key` in `layer` by the settings they stand for.

    A level or a format of the log may be written in any case. A setting that is also written by its own name keeps
    that value.
    """
    _listen_addr(layer)
    _log_level(layer)
    _recase(layer, ("logging", "level"), str.upper)
    _recase(layer, ("logging", "format"), str.lower)
    providers = layer.get(("providers",))
    for name in list(providers) if isinstance(providers, dict) else ():
        _api_keys(layer, name)


def _put_unless_set(layer: Layer, path: SettingPath, value: Any, origin: Origin) -> None:
    if layer.get(path) is None:
        layer.put(path, value, origin)


def _listen_addr(layer: Layer) -> None:
    taken = layer.pop(("listen_addr",))
    if taken is None:
        return
    address, origin = taken
    host, colon, port = str(address).rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        wanted = "an address such as :8976, 127.0.0.1:8976 or [::1]:8976 with a port between 0 and 65535"
        layer.problems.append(f"{origin.label('listen_addr')}: {address!r} is not {wanted}")
        return
    _put_unless_set(layer, ("server", "port"), int(port), origin)
    if host:
        _put_unless_set(layer, ("server", "host"), host.removeprefix("[").removesuffix("]"), origin)


def _log_level(layer: Layer) -> None:
    taken = layer.pop(("log_level",))
    if taken is not None:
        _put_unless_set(layer, ("logging", "level"), *taken)


def _recase(layer: Layer, path: SettingPath, change: Any) -> None:
    value = layer.get(path)
    if isinstance(value, str):
        layer.put(path, change(value), layer.origins[path])


def _api_keys(layer: Layer, provider: str) -> None:
    path = ("providers", provider, "api_keys")
    one = layer.pop((*path[:-1], "api_key"))
    if one is not None and layer.get(path) is not None:
        layer.problems.append(f"{one[1].label('.'.join(path[:-1]))}: has both api_key and api_keys; write one of them")
        return
    if one is not None:
        layer.put(path, *one)
    keys = layer.get(path)
    if isinstance(keys, (int, float)) and not isinstance(keys, bool):
        # YAML takes a key of digits for a number.
        keys = str(keys)
    if isinstance(keys, str):
        keys = keys.split(",")
    if isinstance(keys, list):
        kept = [key.strip() if isinstance(key, str) else key for key in keys]
        layer.put(path, [key for key in kept if key != ""], layer.origins[path])
