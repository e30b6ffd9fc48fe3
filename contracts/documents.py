"""YAML with line numbers, bound to typed models, all problems at once.

A document is parsed once into plain values plus the line of every key and item. pydantic judges the
values; this module turns its findings into `file:line: what. remedy.`
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema
from yaml.reader import ReaderError
from yaml.resolver import Resolver

from contracts.errors import Problem, WorkspaceError, did_you_mean

Path = tuple[str | int, ...]
At = TypeVar("At")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


@lru_cache(maxsize=1 << 16)
def _tag(value: str, implicit: tuple[bool, bool]) -> str:
    """What a scalar is by its text. Remembered: a map says the same few words many times."""
    return _RESOLVER.resolve(yaml.ScalarNode, value, implicit)


_RESOLVER = Resolver()


class _Reader(_Loader):
    """The loader, with a memory of what scalars are: asking costs as much as all other reading."""

    def resolve(self, kind: type, value: str, implicit: tuple[bool, bool]) -> str:
        return _tag(value, implicit) if kind is yaml.ScalarNode else super().resolve(kind, value, implicit)


_NODES_MAX = 500_000
"""More than any map has; a few lines of nested aliases can stand for billions."""
_DEPTH_MAX = 5_000
_SHOWN = 60


class Declaration(BaseModel):
    """A thing that people write in YAML: unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


D = TypeVar("D", bound=Declaration)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as plain values, with the line of every key and item.

    Attributes:
        file: Name shown in messages, relative to the workspace.
        data: The plain value (dict, list, scalar or None for an empty file).
        lines: Line (1-based) of each path, e.g. `("touchpoints", 3, "stage")`.
        text: What it was read from.
    """

    file: str
    data: object
    lines: Mapping[Path, int] = field(default_factory=dict)
    text: str = field(default="", repr=False)

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
    document, problems = read(text, file)
    if problems:
        raise WorkspaceError.of(problems)
    return document


def read(text: str, file: str) -> tuple[Document, list[Problem]]:
    """Parse one YAML document as far as it goes.

    Returns:
        The document, and what is wrong with it as YAML. Where a key stands twice the first counts; the
        document of a text that is not YAML is empty.
    """
    try:
        return _built(text, file)
    except yaml.YAMLError as error:
        return Document(file, None), [_yaml_problem(error, file, text)]
    except RecursionError:
        return Document(file, None), [Problem(f"{file}:1", "is nested too deeply.", "Write it flatter.")]


def _built(text: str, file: str) -> tuple[Document, list[Problem]]:
    _refuse_depth(text)
    loader = _Reader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return Document(file, None, text=text), []
        builder = _Builder(loader, file)
        builder.lines[()] = _line(root)
        value = builder.build(root, ())
        return Document(file, value, builder.lines, text), builder.problems
    finally:
        loader.dispose()


def _refuse_depth(text: str) -> None:
    """Refuse what is nested so deeply that libyaml would end the process when it recurses."""
    if max(map(text.count, ("[", "{", "- "))) < _DEPTH_MAX:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_MAX:
            raise RecursionError


@dataclass
class _Builder:
    """Turns nodes into plain values and notes where they stand.

    Attributes:
        loader: The C or the Python loader; they share no public base.
        file: Name shown in messages.
        lines: Line of every path so far.
        problems: Keys that stand twice.
    """

    loader: Any
    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)
    _pairs: dict[int, list[tuple[yaml.Node, yaml.Node]]] = field(default_factory=dict)

    def build(self, node: yaml.Node, path: Path) -> object:
        """The plain value of a node.

        Raises:
            yaml.YAMLError: The node stands inside itself, or stands for too many.
        """
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open or len(self.lines) > _NODES_MAX:
            said = "an alias stands inside what it names" if id(node) in self._open else "it is too large"
            raise yaml.MarkedYAMLError(problem=said, problem_mark=node.start_mark)
        self._open.add(id(node))
        built = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
        self._open.discard(id(node))
        return built

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[object, object]:
        built: dict[object, object] = {}
        for key_node, value_node in self._flat(node):
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is no text", problem_mark=key_node.start_mark)
            key = str(key_node.value)
            self.lines[(*path, key)] = _line(key_node)
            built[key] = self.build(value_node, (*path, key))
        return built

    def _list(self, node: Any, path: Path) -> list[object]:  # noqa: ANN401 - yaml's nodes are untyped
        for index, item in enumerate(node.value):
            self.lines[(*path, index)] = _line(item)
        return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]

    def _flat(self, node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
        """Keys and values with those that `<<` merges in; of a key that stands twice the first."""
        names = {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE}
        if len(names) == len(node.value):
            return node.value
        if id(node) not in self._pairs:
            own = [pair for pair in node.value if pair[0].tag != _MERGE]
            kept: dict[object, tuple[yaml.Node, yaml.Node]] = {}
            for pair in own:
                first = kept.setdefault(pair[0].value if isinstance(pair[0], yaml.ScalarNode) else pair, pair)
                if first is not pair:
                    self._note_doubled(first[0], pair[0])
            self.loader.flatten_mapping(node)
            merged = [pair for pair in node.value if not any(pair[0] is key for key, _ in own)]
            self._pairs[id(node)] = [*merged, *kept.values()]
        return self._pairs[id(node)]

    def _note_doubled(self, first: yaml.Node, again: yaml.Node) -> None:
        what = f"{again.value!r} stands already on line {_line(first)}."
        self.problems.append(Problem(f"{self.file}:{_line(again)}", what, "Keep one."))

    def _scalar(self, node: yaml.ScalarNode) -> object:
        if node.tag == _TEXT:
            return node.value
        try:
            return self.loader.construct_object(node, deep=True)
        except (ValueError, ArithmeticError, AttributeError):
            # It looks like a date or a number and is none, e.g. 2026-02-30: whoever expects one says so.
            return node.value


def _line(node: Any) -> int:  # noqa: ANN401 - yaml's marks are untyped
    return node.start_mark.line + 1


def _yaml_problem(error: yaml.YAMLError, file: str, text: str) -> Problem:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem(f"{file}:{line}", f"has the control character {error.character!r}.", "Delete it.")
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    line = mark.line + 1 if mark else 1
    said = " ".join(part for part in (getattr(error, "context", None), said) if part)
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
        return model.model_validate({} if value is None else value), []
    except ValidationError as error:
        found = [_problem(one, document, model, within, value) for one in error.errors() if not _follows(one)]
        # A union is refused once by each of its members.
        first = {(problem.where, problem.what): problem for problem in reversed(found)}
        return None, sorted(first.values(), key=found.index)


def _problem(
    found: Mapping[str, Any], document: Document, model: type[D], within: Path, value: object
) -> Problem:
    path = _standing(found["loc"], value, is_missing=found["type"] == "missing")
    where, name = document.where(*within, *path), _named((*within, *path), document.file)
    if found["type"] == "missing":
        return Problem(where, f"{name} is missing.", f"Add {name}.")
    if found["type"] == "extra_forbidden":
        return Problem(
            where, f"unknown key {name}.", did_you_mean(str(path[-1]), _known_keys(model, path[:-1]))
        )
    return Problem(where, f"{name} is {_shown(found['input'])}.", _remedy(found))


def _follows(found: Mapping[str, Any]) -> bool:
    """Whether a finding only follows from others: a list is called too short when its items are refused."""
    return found["type"] == "too_short" and len(found["input"]) >= found["ctx"]["min_length"]


def _standing(loc: Path, value: Any, *, is_missing: bool) -> Path:  # noqa: ANN401 - any YAML value
    """The part of pydantic's path that stands in the document: no union members, no `[key]`."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        is_key = isinstance(value, dict) and part in value
        is_item = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_key or is_item:
            path.append(part)
            value = value[part]
        elif is_missing and index == len(loc) - 1:
            path.append(part)
    return tuple(path)


def _named(path: Path, file: str) -> str:
    if not path:
        return repr(file)
    if isinstance(path[-1], str):
        return repr(path[-1])
    return f"item {path[-1] + 1} of {_named(path[:-1], file)}"


def _shown(value: object) -> str:
    """A value as it may stand in a message: short, and dates as people write them."""
    if isinstance(value, date):
        return value.isoformat()
    said = repr(value)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."


def _remedy(found: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one return for each kind of finding
    kind, given, limits = found["type"], found["input"], found.get("ctx", {})
    match kind:
        case "literal_error" | "enum":
            known = re.findall(r"'([^']*)'", limits["expected"])
            return did_you_mean(str(given), known) if known else f"Write {limits['expected']}."
        case "value_error":
            return f"{limits['error']}"
        case "string_type" if isinstance(given, bool | int | float | date):
            return "It has to be a text: put it in quotes."
        case "string_pattern_mismatch":
            return _PATTERNS.get(limits["pattern"], f"Write it like {limits['pattern']}")
        case "too_short":
            least = limits["min_length"]
            return f"Write at least {'one' if least == 1 else least}."
        case "string_too_long":
            return f"Use at most {limits['max_length']} characters."
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            limit = next(iter(limits.values()))
            words = {"greater_than": "above", "greater_than_equal": "from", "less_than": "below"}
            return f"Write a number {words.get(kind, 'up to')} {limit}."
    return _KINDS.get(kind, f"{found['msg']}.")


_PATTERNS = {
    r"^[a-z][a-z0-9_]*$": "Use lower-case letters, digits and '_', beginning with a letter.",
    r"^[A-Z][A-Z0-9_]*$": "Use capital letters, digits and '_', beginning with a letter.",
    "^[A-Z]{2}$": "Write two capital letters, like 'DE'.",
    "^https?://": "Write an address that begins with 'https://'.",
}
"""What to do by the pattern that a text does not keep."""
_KINDS = {
    "model_type": "Write a mapping of keys and values here.",
    "dict_type": "Write a mapping of keys and values here.",
    "list_type": "Write a list here.",
    "tuple_type": "Write a list here.",
    "too_long": "Write fewer.",
    "string_too_short": "Write something here.",
    "string_type": "Write a text here.",
    "int_type": "Write a whole number.",
    "int_parsing": "Write a whole number.",
    "int_parsing_size": "Write a smaller number.",
    "int_from_float": "Write a whole number.",
    "float_type": "Write a number.",
    "float_parsing": "Write a number.",
    "finite_number": "Write a number.",
    "bool_type": "Write true or false.",
    "bool_parsing": "Write true or false.",
}
"""What to do by pydantic's name of what is wrong."""


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


def from_text(value: object, read: Callable[[str], At], remedy: str) -> At:
    """What is read from a text, e.g. by `date.fromisoformat`.

    Raises:
        ValueError: It is none: the remedy.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            return read(value)
    raise ValueError(remedy)


def read_moment(value: object) -> datetime:
    """An instant as people write it.

    Raises:
        ValueError: It is neither a date nor an instant.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    return from_text(
        value, datetime.fromisoformat, "Write a date like 2026-03-01 or an instant like 2026-03-01T14:30."
    )


_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?"
Moment = Annotated[
    datetime,
    BeforeValidator(read_moment),
    WithJsonSchema({"type": "string", "pattern": f"^{_DATE}([Tt ]{_TIME})?$"}),
]
"""An instant as people write it: a date means its first moment; without an offset it is local."""


def read_day(value: object) -> date:
    """A day as people write it.

    Raises:
        ValueError: It is none; a number is none either, which would be taken for seconds since 1970.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return from_text(value, date.fromisoformat, "Write a date like 2026-12-25.")


Day = Annotated[date, BeforeValidator(read_day), WithJsonSchema({"type": "string", "pattern": f"^{_DATE}$"})]
"""A day as people write it, local to the workspace."""
