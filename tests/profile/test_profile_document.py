"""The strict YAML reader by itself: places, cost, and that nothing but ProfileError ever comes out of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from probe.errors import Problem, ProfileError
from probe.profile import load
from probe.profile.document import parse, read
from probe.profile.messages import explain
from probe.profile.nodes import List, Map, Scalar, find, items_of, plain

YAMLISH = st.lists(
    st.sampled_from(
        [*"[]{}:,-?&*!|>'\"%@#`\\ \n\t<", "version: 1\n", "targets:\n", "  web: ", "\n- ", "22:22", "<<: ", "\\U"]
    )
    | st.text(max_size=4),
    max_size=40,
).map("".join)
WORDS = [
    "version",
    "name",
    "targets",
    "scan",
    "expect",
    "tcp",
    "is",
    "to",
    "on",
    "rest",
    "web",
    "open",
    "22",
    "198.18.1.1",
]
TREES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 70_000)
    | st.floats(-10, 10)
    | st.sampled_from(WORDS)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=15,
)


def problems_of(data: bytes) -> tuple[Problem, ...]:
    try:
        load(data, "p")
    except ProfileError as error:
        return error.problems
    return ()


def only_profile_errors(data: bytes) -> None:
    for problem in problems_of(data):
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message.isprintable()


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_break_it(data: bytes) -> None:
    only_profile_errors(data)


@settings(max_examples=300, deadline=None)
@given(YAMLISH)
def test_no_text_breaks_it(text: str) -> None:
    only_profile_errors(text.encode("utf-8", "replace"))


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_no_structure_breaks_it(tree: Any) -> None:
    only_profile_errors(json.dumps(tree).encode())


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(WORDS), TREES, min_size=3))
def test_no_mixed_up_profile_breaks_it(tree: Any) -> None:
    whole = {"version": 1, "name": "t", "targets": {"web": "198.18.1.1"}, "scan": {"tcp": 22}}
    only_profile_errors(json.dumps(whole | tree).encode())


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text("abcdefgh", min_size=1),
        st.recursive(
            st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc 019:-", max_size=8),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=4),
        ),
        min_size=1,
    )
)
def test_json_is_read_as_json(tree: dict[str, Any]) -> None:
    assert plain(read(json.dumps(tree).encode(), "x")) == tree


def test_every_key_value_and_item_knows_its_place() -> None:
    root = read(b"a: 1\nb:\n  - x\n  - {c: 'y', d: [2]}\ne:\n", "x")
    assert root == read(b"a: 1\nb:\n  - x\n  - {c: 'y', d: [2]}\ne:\n", "x")
    a, b, e = root.entries
    assert (a.line, a.column, a.value) == (1, 1, Scalar(1, 4, 1))
    assert isinstance(b.value, List)
    text, mapping = b.value.items
    assert text == Scalar(3, 5, "x")
    assert isinstance(mapping, Map)
    assert (mapping.line, mapping.column) == (4, 5)
    assert [(entry.key, entry.line, entry.column, entry.value.column) for entry in mapping.entries] == [
        ("c", 4, 6, 9),
        ("d", 4, 14, 17),
    ]
    assert e.value == Scalar(5, 1, None)  # nothing stands there, so it has the place of its key


def test_a_location_leads_as_deep_as_the_tree_goes() -> None:
    root = read(b"a: [1, {b: 2}]\n", "x")
    assert find(root, ("a", 1, "b"))[0] == Scalar(1, 12, 2)
    assert find(root, ("a", 1, "missing"))[0] == items_of(root.get("a"))[1]
    assert find(root, ("a", 0, 0))[0] == Scalar(1, 5, 1)
    assert find(root, ())[0] is root


def test_problems_of_any_model_find_their_place() -> None:
    class Host(BaseModel):
        model_config = ConfigDict(extra="forbid")
        address: str
        ports: list[int] = []

    class Topology(BaseModel):
        model_config = ConfigDict(extra="forbid")
        hosts: dict[str, Host]

    root = read(b"hosts:\n  web: {adress: x, ports: [1, a]}\n", "lab.yaml")
    with pytest.raises(ValidationError) as caught:
        Topology.model_validate(plain(root))
    said = [str(problem) for problem in explain(caught.value, root, "lab.yaml", Topology)]
    assert said[0] == "lab.yaml:2:8: the key 'address' is missing"
    assert said[1].startswith("lab.yaml:2:31: ")
    assert said[2] == "lab.yaml:2:9: unknown key 'adress' (did you mean 'address'?)"


def bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("data", [bomb(9), bomb(300), b"a: &a [*a, *a]", b"a: &a {<<: *a}\nb: {<<: [*a, *a]}"])
def test_an_alias_bomb_costs_what_its_text_costs(data: bytes) -> None:
    parse(b"warm: up", "x")
    before = time.process_time()
    document = parse(data, "x")
    assert time.process_time() - before < 0.1
    assert 2 <= len(document.problems) <= 101
    assert any("aliases" in problem.message for problem in document.problems)


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_deep_nesting_is_one_clean_problem(unit: str) -> None:
    document = parse(unit.encode() * 2000, "x")
    assert [problem.message for problem in document.problems] == ["nested deeper than 32 levels"]


def test_nesting_up_to_the_limit_is_read() -> None:
    assert parse(b"a: " + b"[" * 31 + b"]" * 31, "x").problems == ()
