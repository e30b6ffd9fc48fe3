"""The reference of methods, printed from the docstrings of the functions that compute them."""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType

from transforms import intervals, methods
from transforms.methods import run_rules

_HEADINGS = re.compile(r"\b(Units?|Source|Convention|Reproduces):\s*")
_SECTION = re.compile(r"\n(?:Args|Returns|Raises|Attributes):\n")
_LISTED = re.compile(r"^    (\w+)  +\S", re.MULTILINE)


def methods_page() -> str:
    """The page: every module in its package's order, every public function with formula, source and convention."""
    return "\n".join(_lines()) + "\n"


def method_modules() -> list[ModuleType]:
    """The modules in the order in which the package's docstring lists them."""
    names = [name for name in _LISTED.findall(methods.__doc__ or "") if name != "intervals"]
    return [intervals, *(importlib.import_module(f"{methods.__name__}.{name}") for name in names)]


def _lines() -> Iterator[str]:
    yield "# Methods"
    yield ""
    yield "Written by `python -m flows.docs` from the functions' docstrings; the gate fails when it is out of date."
    yield "*Reproduces* names published cases that the tests compute to their printed digits."
    for module in method_modules():
        name = module.__name__.rpartition(".")[2]
        yield from ("", f"## {name}", "", *_paragraphs(inspect.getdoc(module) or ""))
        for function in _functions(module):
            yield from ("", f"### `{function.__name__}`", "", *_described(inspect.getdoc(function) or ""))
        if module is run_rules:
            yield from ("", "### Rule sets", "", *_rule_sets())


def _rule_sets() -> Iterator[str]:
    yield "| set | rules, in its numbering | points until a false signal |"
    yield "| --- | --- | --- |"
    for name, rules in run_rules.RULE_SETS.items():
        listed = ", ".join(rule.name for rule in rules)
        yield f"| `{name}` | {listed} | {run_rules.FALSE_SIGNAL_AFTER[name]:g} |"


def _functions(module: ModuleType) -> Iterable[FunctionType]:
    own = [value for value in vars(module).values() if inspect.isfunction(value)]
    return [f for f in own if f.__module__ == module.__name__ and not f.__name__.startswith("_")]


def _described(text: str) -> Iterator[str]:
    """The text up to its arguments, with what follows a heading as items of a list."""
    told = _SECTION.split(text)[0]
    before, *headed = _HEADINGS.split(told)
    yield from _paragraphs(before)
    if headed:
        yield ""
    for heading, body in zip(headed[::2], headed[1::2], strict=True):
        yield f"- *{heading}:* {' '.join(body.split())}"


def _paragraphs(text: str) -> Iterator[str]:
    parts = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    for index, part in enumerate(parts):
        yield from ("", part) if index else (part,)
