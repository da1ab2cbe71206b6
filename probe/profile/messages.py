"""pydantic's errors -> Problems for people: the place in the file, what is wrong, what was meant.

Works for every pydantic model that was fed from a Node tree; the lab's topology files are checked this way too.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from probe.errors import Problem
from probe.profile.nodes import Map, Scalar, find
from probe.profile.values import shown
from probe.profile.words import meant, quoted


def explain(error: ValidationError, root: Map, path: str, model: type[BaseModel]) -> list[Problem]:
    """One Problem for each error, without those at values that the YAML reader has refused already."""
    problems = []
    for detail in error.errors(include_url=False):
        node, entry = find(root, detail["loc"])
        at_key = detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",)
        if not at_key and isinstance(node, Scalar) and (node.refused or node.value is None):
            continue
        line, column = (entry.line, entry.column) if entry and at_key else (node.line, node.column)
        problems.append(Problem(path, line, column, sentence(detail, model)))
    return problems


def sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """What one pydantic error means, said without pydantic's words."""
    names = [step for step in detail["loc"] if isinstance(step, str) and step != "[key]"]
    name = repr(names[-1]) if names else "the file"
    if detail["loc"] and isinstance(detail["loc"][-1], int):
        name = f"each item of {name}"
    context: Mapping[str, Any] = detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        return f"unknown key {quoted(names[-1])}{meant(names[-1], known_keys(model, detail['loc'][:-1]))}"
    if detail["type"] in _SENTENCES:
        return _SENTENCES[detail["type"]](name, context, shown(detail["input"]))
    return f"{name}: {detail['msg']}"


def known_keys(model: object, location: Sequence[int | str]) -> list[str]:
    """The keys that the model allows at a location; empty where any key goes."""
    for step in location:
        model = _inside(model, step)
    found = _model_in(model)
    return [info.alias or name for name, info in found.model_fields.items()] if found else []


def _inside(annotation: object, step: int | str) -> object:
    """The annotation of what stands under a key or an index; None where nothing is known about it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return next((info.annotation for name, info in fields if step == (info.alias or name)), None)
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) in (dict, list, tuple):
        return parts[-1]
    inner = (_inside(part, step) for part in parts)
    return next((found for found in inner if found is not None), None)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The first model inside an annotation such as `list[Line] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(part) for part in typing.get_args(annotation))
    return next((model for model in inner if model is not None), None)


def _expected(what: str) -> Callable[[str, Mapping[str, Any], str], str]:
    return lambda name, context, given: f"{name} must be {what}, not {given}"


_SENTENCES: Mapping[str, Callable[[str, Mapping[str, Any], str], str]] = {
    "missing": lambda name, context, given: f"the key {name} is missing",
    "value_error": lambda name, context, given: str(context["error"]),
    "greater_than": lambda name, context, given: f"{name} must be more than {context['gt']:,.12g}",
    "greater_than_equal": lambda name, context, given: f"{name} must be at least {context['ge']:,.12g}",
    "less_than_equal": lambda name, context, given: f"{name} must be at most {context['le']:,.12g}",
    "too_short": lambda name, context, given: f"{name} is empty",
    "string_type": _expected("text (put it in quotes)"),
    "int_parsing": _expected("a whole number"),
    "float_parsing": _expected("a number"),
    "bool_parsing": _expected("true or false"),
    "int_type": _expected("a whole number"),
    "int_from_float": _expected("a whole number"),
    "float_type": _expected("a number"),
    "bool_type": _expected("true or false"),
    "dict_type": _expected("'key: value' lines"),
    "model_type": _expected("'key: value' lines"),
    "model_attributes_type": _expected("'key: value' lines"),
    "list_type": _expected("a list"),
}
