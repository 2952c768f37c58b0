"""The law of who may import whom, as tables with a checker that reads source text."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

CONFIG_TYPES = ("config.settings",)
LAYERS: Mapping[str, tuple[str, ...]] = {
    "app": ("app", "assembly", "api", "middleware", "services", "core", "schemas", "config", "client"),
    "assembly": ("assembly", "api", "middleware", "services", "core", "schemas", "config"),
    "api": ("api", "services", "schemas", "core.errors", "core.sse"),
    "middleware": ("middleware", "services", "schemas", "core.errors", *CONFIG_TYPES),
    "services": ("services", "core", "schemas", *CONFIG_TYPES),
    "core": ("core", "schemas", *CONFIG_TYPES),
    "schemas": ("schemas",),
    "config": ("config",),
    "client": ("client",),
    "demo": ("demo", "schemas.codec"),
    "scripts": (),
}
"""Every top-level module or package of ours, with all it may import of ours."""

PLACES: Mapping[str, tuple[str, ...]] = {
    "flask": ("app.py", "api/", "middleware/"),
    "opentelemetry": ("core/tracing.py",),
    "redis": ("core/store/redis",),
    "requests": ("core/transport.py", "client/"),
}
"""The only files, or folders, that may import these libraries; how their paths begin."""

ENVIRONMENT_READER = "config/loader.py"
ENVIRONMENT_NAMES = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


@dataclass(frozen=True)
class Siblings:
    """Modules of one folder that do not know each other.

    `shared` is theirs in common. With `marks`, only a module with one of these names among its base classes or imports
    is a sibling, and the others are helpers. A helper whose name begins with that of a sibling belongs to it alone.
    """

    shared: frozenset[str]
    marks: frozenset[str] = frozenset()


SIBLINGS: Mapping[str, Siblings] = {
    "core/providers": Siblings(
        frozenset({"base", "openai_compatible", "anthropic_compatible"}),
        marks=frozenset({"Provider", "OpenAICompatible", "AnthropicCompatible"}),
    ),
    "core/pipeline": Siblings(frozenset({"base"}), marks=frozenset({"Stage"})),
    "middleware": Siblings(frozenset({"base"})),
    "api": Siblings(frozenset(), marks=frozenset({"Blueprint"})),
    "api/dialects": Siblings(frozenset({"base"})),
}


def breaches(sources: Mapping[str, str]) -> list[str]:
    """Every breach in `sources` (path from the root of the repository → text), as `path:line: what`."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    found = [f"{path}:{breach}" for path, tree in trees.items() for breach in _breaches_of_one(path, tree)]
    for folder, siblings in SIBLINGS.items():
        inside = {PurePosixPath(path).stem: path for path in trees if str(PurePosixPath(path).parent) == folder}
        inside.pop("__init__", None)
        found += _sibling_breaches(folder, siblings, {name: trees[path] for name, path in inside.items()})
    return sorted(found)


def _breaches_of_one(path: str, tree: ast.Module) -> Iterator[str]:
    layer = PurePosixPath(path).parts[0].removesuffix(".py")
    if layer not in LAYERS:
        yield f"1: {layer} has no row in LAYERS"
        return
    for line, name in _imports(path, tree):
        top = name.partition(".")[0]
        if top in LAYERS and not any(_within(name, allowed) for allowed in LAYERS[layer]):
            yield f"{line}: {layer} may not import {name}"
        if top in PLACES and not path.startswith(PLACES[top]):
            yield f"{line}: {top} belongs in {', '.join(PLACES[top])}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"{node.lineno}: global statement"
        if path != ENVIRONMENT_READER and _reads_environment(node):
            yield f"{node.lineno}: only {ENVIRONMENT_READER} touches the environment"


def _imports(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, wherever in the file it stands."""
    package = PurePosixPath(path).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            parts = [*start, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*parts, alias.name])) for alias in node.names)


def _within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(alias.name in ENVIRONMENT_NAMES for alias in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ENVIRONMENT_NAMES
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    )


def _sibling_breaches(folder: str, rule: Siblings, modules: Mapping[str, ast.Module]) -> Iterator[str]:
    members = _members(rule, modules)
    for name, tree in modules.items():
        for line, imported in _imports(f"{folder}/{name}.py", tree):
            other = imported.removeprefix(folder.replace("/", ".") + ".").partition(".")[0]
            inside = _within(imported, folder.replace("/", ".")) and other in modules
            if inside and other not in rule.shared and not _may_know(name, other, members):
                yield f"{folder}/{name}.py:{line}: {name} may not import its sibling {other}"


def _members(rule: Siblings, modules: Mapping[str, ast.Module]) -> set[str]:
    names = set(modules) - rule.shared
    if rule.marks:
        return {name for name in names if _is_marked(modules[name], rule.marks)}
    return {name for name in names if not any(name.startswith(f"{other}_") for other in names)}


def _is_marked(tree: ast.Module, marks: frozenset[str]) -> bool:
    bases = {base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases}
    names = {node.id for node in bases if isinstance(node, ast.Name)}
    imported = {name.rpartition(".")[2] for _, name in _imports("", tree) if name.startswith("flask.")}
    return bool(marks & (names | imported))


def _may_know(name: str, other: str, members: set[str]) -> bool:
    owner = _owner(other, members)
    return owner is None or (other != owner and owner == _owner(name, members))


def _owner(name: str, members: set[str]) -> str | None:
    """The sibling that `name` is or helps, None for a helper of all."""
    fitting = [member for member in members if name == member or name.startswith(f"{member}_")]
    return max(fitting, key=len, default=None)
