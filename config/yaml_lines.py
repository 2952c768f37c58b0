"""Where in a YAML file a setting stands."""

from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


def line_of(text: str, place: str) -> int | None:
    """The line, from 1 on, of what is at `place`, spelled as `routes[0].targets[1].model`; None for what is not there.

    Of what is not there by itself, as a variable or a shorthand gives it, there is no line.
    """
    try:
        document = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, RecursionError):
        return None
    return next((node.start_mark.line + 1 for name, node in _places(document, "") if name == place), None)


def senseless(text: str) -> tuple[int, str] | None:
    """The line, from 1 on, and the place of the first value that has the form of a date or a number and is none."""
    yaml = YAML(typ="safe", pure=True)
    try:
        document = yaml.compose(text)
    except (YAMLError, ValueError, RecursionError):
        return None
    for name, node in _places(document, ""):
        if isinstance(node, ScalarNode) and node.style is None:
            try:
                yaml.load(node.value)
            except YAMLError:
                continue
            except (ValueError, ArithmeticError):
                return node.start_mark.line + 1, name
    return None


def _places(node: Node | None, name: str) -> Iterator[tuple[str, Node]]:
    if node is None:
        return
    yield name, node
    if isinstance(node, SequenceNode):
        for number, inner in enumerate(node.value):
            yield from _places(inner, f"{name}[{number}]")
    elif isinstance(node, MappingNode):
        for key, inner in node.value:
            if isinstance(key, ScalarNode):
                yield from _places(inner, f"{name}.{key.value}" if name else str(key.value))
