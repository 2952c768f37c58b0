"""The one reader of the environment: builds the settings from it, `.env`, the YAML file, and the defaults."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import Any
from uuid import uuid4

from dotenv.parser import parse_stream
from pydantic import ValidationError

from config.circles import circles
from config.describe import describe
from config.environment import environment_layer
from config.layers import Layer, Origin, SettingPath
from config.problems import ConfigurationError, explain, place
from config.provider_settings import default_providers, unconfigured
from config.secret_files import REDIS_PASSWORD, SUFFIX, Variables, with_password
from config.settings import Settings
from config.shorthands import expand
from config.vendors import VENDORS
from config.yaml_file import yaml_layer
from config.yaml_lines import line_of

__all__ = [
    "ConfigurationError",
    "adopt_environment",
    "describe",
    "files",
    "gateway_name",
    "key_files",
    "load",
    "load_with_places",
    "metrics_directory",
    "process_environment",
    "remove_metrics_directory",
]

Location = Sequence[str | int]
DEFAULT_FILE = "gateway.yaml"
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
METRICS_PREFIX = "gateway-metrics-"
NAME_VARIABLE = "GATEWAY_NAME"


def load(environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
    """Return the settings: the environment wins over `.env`, that over the YAML file, that over the defaults.

    `directory` is where `.env` and a relative `CONFIG_FILE` are looked for; the working directory unless given.
    Raises ConfigurationError with every mistake at once.
    """
    return load_with_places(environ, directory)[0]


def load_with_places(
    environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> tuple[Settings, Callable[[Location], str]]:
    """The same as `load`, and what names the place where a setting was written: file, line and field."""
    environ = os.environ if environ is None else environ
    directory = directory or Path()
    problems: list[str] = []
    dotenv = Variables(_dotenv(directory / ".env", problems), directory, " in .env")
    own = Variables(environ, directory)
    variables = Variables(_over(dotenv, own), directory)
    whole = Layer()
    file = _file_layer(directory, variables)
    names = list(file.get(("providers",)) or ())
    for layer in (file, environment_layer(dotenv, " in .env", names), environment_layer(own, "", names)):
        expand(layer)
        whole.lay(layer)
    with_password(whole, variables.get(REDIS_PASSWORD))
    told = [*problems, *dotenv.problems, *own.problems, *variables.problems, *whole.problems]
    settings = _validated(whole, list(dict.fromkeys(told)))
    return settings, partial(_place, whole.origins, directory)


def files(environ: Mapping[str, str] | None = None, directory: Path | None = None) -> tuple[Path, ...]:
    """The files that `load` reads, or would if they were there; those of secrets are named by variables."""
    directory = directory or Path()
    given = _given(environ, directory)
    secrets = sorted({value.strip() for name, value in given.items() if name.endswith(SUFFIX)})
    named = given.get("CONFIG_FILE", "").strip() or DEFAULT_FILE
    return directory / ".env", *(directory / name for name in dict.fromkeys((named, *secrets)))


def key_files(environ: Mapping[str, str] | None = None, directory: Path | None = None) -> list[str]:
    """The variables that name a file with a provider's keys, whatever is in it."""
    given = _given(environ, directory or Path())
    names = [f"{vendor.key_variable}{SUFFIX}" for vendor in VENDORS.values() if vendor.key_variable]
    return [name for name in names if name in given]


def gateway_name() -> str:
    """What all workers of this gateway, and no other gateway's, call it."""
    return os.environ.get(NAME_VARIABLE) or f"{gethostname()}-{os.getppid()}"


def process_environment(settings: Settings, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for the server process: `base`, or this process's own, with what its workers share.

    That is a name for all of them, and a fresh directory for metrics if there are several. One left over from another
    run would add its counts to ours, so one in `base` is never taken.
    """
    base = os.environ if base is None else base
    environment = {name: value for name, value in base.items() if name.upper() != METRICS_VARIABLE}
    environment[NAME_VARIABLE] = f"{gethostname()}-{uuid4().hex[:8]}"
    if settings.workers > 1:
        environment[METRICS_VARIABLE] = _fresh_directory(settings.server.data_dir)
    return environment


def adopt_environment(environment: Mapping[str, str]) -> None:
    """Make `environment` that of this process, and of those it starts."""
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def metrics_directory() -> Path | None:
    """The directory this process shares its metrics in, if it was given one."""
    given = os.environ.get(METRICS_VARIABLE)
    return Path(given) if given else None


def remove_metrics_directory() -> None:
    """Remove the directory of shared metrics if it was made for this run."""
    directory = metrics_directory()
    if directory is not None and directory.name.startswith(METRICS_PREFIX):
        shutil.rmtree(directory, ignore_errors=True)


def _fresh_directory(data_dir: Path) -> str:
    # The files are mapped into memory and worth nothing after a restart: the temporary directory suits them best.
    try:
        return tempfile.mkdtemp(prefix=METRICS_PREFIX)
    except OSError:
        data_dir.mkdir(parents=True, exist_ok=True)
        return tempfile.mkdtemp(prefix=METRICS_PREFIX, dir=data_dir.absolute())


def _given(environ: Mapping[str, str] | None, directory: Path) -> dict[str, str]:
    """The variables that have a value."""
    environ = os.environ if environ is None else environ
    return {**_dotenv(directory / ".env", []), **{name: value for name, value in environ.items() if value.strip()}}


def _over(lower: Mapping[str, str], upper: Mapping[str, str]) -> dict[str, str]:
    """Both; a secret that `upper` has in a file replaces the one that `lower` has as text, and the other way round."""
    hidden = {name.removesuffix(SUFFIX) for name in upper} | {name + SUFFIX for name in upper}
    return {**{name: value for name, value in lower.items() if name not in hidden}, **upper}


def _dotenv(file: Path, problems: list[str]) -> dict[str, str]:
    try:
        if not file.is_file():
            return {}
        with file.open(encoding="utf-8-sig") as stream:  # some editors begin with a mark
            parts = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f".env: cannot be read: {error}")
        return {}
    problems.extend(f".env, line {part.original.line}: is not NAME=value" for part in parts if part.error)
    return {part.key: part.value for part in parts if part.key and part.value and part.value.strip()}


def _file_layer(directory: Path, variables: Mapping[str, str]) -> Layer:
    named = variables.get("CONFIG_FILE", "").strip()
    file = directory / (named or DEFAULT_FILE)
    if file.is_file():
        return yaml_layer(file, named or DEFAULT_FILE, variables)
    layer = Layer()
    if named:
        layer.problems.append(f"CONFIG_FILE: there is no file {named!r}")
    return layer


def _validated(layer: Layer, problems: list[str]) -> Settings:
    values = {**layer.values}
    if isinstance(values.get("providers"), dict):
        values["providers"] = _with_defaults(values["providers"])
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError([*problems, *explain(error, layer.origins)]) from None
    problems = [*problems, *circles(settings, layer.origins)]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _place(origins: Mapping[SettingPath, Origin], directory: Path, location: Location) -> str:
    label = place(location, origins)
    source, separator, written = label.partition(": ")
    file = directory / source
    if not separator or not file.is_file():
        return label
    line = line_of(file.read_text(encoding="utf-8"), written.partition(" (")[0])
    return label if line is None else f"{source}, line {line}: {written}"


def _with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {name: unconfigured(name) for name in default_providers()}
    for name, entry in given.items():
        if isinstance(entry, dict):
            # An instance of another kind than its name says has nothing of what the name stands for.
            standing = unconfigured(name) if entry.get("kind", name) == name else {}
            merged[name] = {**standing, **entry}
        else:
            merged[name] = entry
    return merged
