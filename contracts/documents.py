"""YAML with line numbers, bound to typed models, all problems at once.

A document is parsed once into plain values plus the line of every key and item. pydantic judges the
values; this module turns its findings into `file:line: what. remedy.`
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from contracts.errors import Problem, WorkspaceError, did_you_mean

Path = tuple[str | int, ...]
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Declaration(BaseModel):
    """A thing that people write in YAML: unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


D = TypeVar("D", bound=Declaration)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as plain values, with the line of every key and item.

    Attributes:
        file: Name shown in messages, relative to the workspace.
        data: The plain value (dict, list, scalar or None for an empty file).
        lines: Line (1-based) of each path, e.g. `("touchpoints", 3, "stage")`.
    """

    file: str
    data: object
    lines: Mapping[Path, int] = field(default_factory=dict)

    def where(self, *path: str | int) -> str:
        """`file:line` of the path, or of its nearest known ancestor."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"


def parse(text: str, file: str) -> Document:
    """Parse one YAML document, remembering where everything stands.

    Raises:
        WorkspaceError: The text is not YAML, or a key stands twice in one mapping.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return Document(file, None)
        lines: dict[Path, int] = {(): root.start_mark.line + 1}
        doubled: list[Problem] = []
        value = _build(loader, root, (), lines, doubled, file)
    except yaml.YAMLError as error:
        raise WorkspaceError(_yaml_problem(error, file)) from None
    finally:
        loader.dispose()
    if doubled:
        raise WorkspaceError.of(doubled)
    return Document(file, value, lines)


def _build(
    loader: Any,  # noqa: ANN401 - the C and the Python loader share no public base
    node: yaml.Node,
    path: Path,
    lines: dict[Path, int],
    doubled: list[Problem],
    file: str,
) -> object:
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        built: dict[object, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            here = (*path, key)
            if key in built:
                first, again = lines[here], key_node.start_mark.line + 1
                doubled.append(
                    Problem(f"{file}:{again}", f"{key!r} stands already on line {first}.", "Keep one.")
                )
            lines[here] = key_node.start_mark.line + 1
            built[key] = _build(loader, value_node, here, lines, doubled, file)
        return built
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
        return [
            _build(loader, item, (*path, index), lines, doubled, file)
            for index, item in enumerate(node.value)
        ]
    return loader.construct_object(node, deep=True)


def _yaml_problem(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    line = mark.line + 1 if mark else 1
    return Problem(f"{file}:{line}", f"this is not YAML: {said}.", "Mend the line above or this one.")


def bind(document: Document, model: type[D], *, within: Path = ()) -> tuple[D | None, list[Problem]]:
    """The document's values as a typed model, or everything that is wrong with them.

    Args:
        document: A parsed document.
        model: What the values should be.
        within: Where in the document the values stand; the whole document when empty.

    Returns:
        The model and no problems, or None and every problem found.
    """
    value: Any = document.data
    for part in within:
        value = value[part]
    try:
        return model.model_validate(value or {}), []
    except ValidationError as error:
        return None, [_problem(found, document, model, within) for found in error.errors()]


def _problem(  # noqa: PLR0911 - one return for each kind of finding
    found: Mapping[str, Any], document: Document, model: type[D], within: Path
) -> Problem:
    path = tuple(part for part in found["loc"] if not _is_union_tag(part))
    where, name = document.where(*within, *path), path[-1] if path else document.file
    given = found["input"]
    match found["type"]:
        case "missing":
            return Problem(where, f"{name!r} is missing.", f"Add {name!r}.")
        case "extra_forbidden":
            known = _known_keys(model, path[:-1])
            return Problem(where, f"unknown key {name!r}.", did_you_mean(str(name), known))
        case "literal_error" | "enum":
            known = re.findall(r"'([^']*)'", found["msg"])
            return Problem(where, f"{name!r} is {given!r}.", did_you_mean(str(given), known))
        case "model_type" | "dict_type":
            return Problem(where, f"{name!r} is {given!r}.", "Write a mapping of keys and values here.")
        case "list_type" | "tuple_type":
            return Problem(where, f"{name!r} is {given!r}.", "Write a list here.")
        case "value_error":
            return Problem(where, f"{name!r} is {given!r}.", f"{found['ctx']['error']}")
        case _:
            return Problem(where, f"{name!r} is {given!r}.", f"{found['msg']}.")


def _is_union_tag(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part.startswith("function-"))


def _known_keys(model: object, path: Path) -> list[str]:
    for part in path:
        if isinstance(part, str):  # an index leaves us at the same kind of item
            model = next(_inner(model, part), None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [spec.alias or name for name, spec in model.model_fields.items()]


def _inner(kind: object, part: str) -> Iterator[object]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, spec in kind.model_fields.items():
            if part in (name, spec.alias):
                yield from _models(spec.annotation)
    else:
        yield from _models(kind)


def _models(kind: object) -> Iterator[object]:
    if get_origin(kind) in (Union, UnionType, Annotated, list, tuple, dict):
        for argument in get_args(kind):
            yield from _models(argument)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    message = "Write a date like 2026-03-01 or an instant like 2026-03-01T14:30."
    raise ValueError(message)


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""An instant as people write it: a date means its first moment; without an offset it is local."""
