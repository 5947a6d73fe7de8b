import typing
from dataclasses import dataclass, field
from typing import Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.units import parse_duration
from profiler.wire.codec import DecodeError, decode, encode


@dataclass(frozen=True)
class Inner:
    size: int
    mode: Literal["slow", "quick"] = "quick"


@dataclass(frozen=True)
class Outer:
    name: str
    share: float = 0.5
    inner: Optional[Inner] = None
    many: tuple[Inner, ...] = ()
    table: dict[str, int] = field(default_factory=dict)
    either: Union[int, str] = 0
    wait: Optional[int] = field(
        default=None,
        metadata={"parse": parse_duration, "write": "{}ns".format, "expected": "a duration"},
    )


def failing(data: object) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(Outer, data)
    return caught.value


def test_a_round_trip_changes_nothing() -> None:
    value = Outer(name="a", inner=Inner(size=3), many=(Inner(size=1),), table={"k": 2}, wait=5)
    assert decode(Outer, encode(value)) == value
    assert encode(value)["wait"] == "5ns"


def test_an_unknown_key_names_its_path_and_the_nearest_one() -> None:
    error = failing({"name": "a", "many": [{"size": 1, "mod": "slow"}]})
    assert (error.path, error.hint) == ("many[0].mod", 'did you mean "mode"?')


@pytest.mark.parametrize(
    ("data", "path", "expected"),
    [
        ({}, "name", "text (required)"),
        ({"name": 3}, "name", "text"),
        ({"name": "a", "share": True}, "share", "a number"),
        ({"name": "a", "share": float("nan")}, "share", "a finite number"),
        ({"name": "a", "inner": {"size": 1.5}}, "inner.size", "a whole number"),
        ({"name": "a", "inner": {"size": True}}, "inner.size", "a whole number"),
        ({"name": "a", "inner": 3}, "inner", "a table"),
        ({"name": "a", "many": {}}, "many", "a list of a table"),
        ({"name": "a", "table": {"k": "x"}}, "table.k", "a whole number"),
        ({"name": "a", "either": []}, "either", "a whole number or text"),
        ({"name": "a", "wait": "5 parsecs"}, "wait", "a duration"),
        ({"name": "a", "inner": {"size": 1, "mode": "quik"}}, "inner.mode",
         'one of "slow", "quick"'),
        ([], "", "a table"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_path_and_expectation(data: object, path: str, expected: str) -> None:
    error = failing(data)
    assert (error.path, error.expected) == (path, expected)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["name", "share", "inner", "many", "table", "wait", "x"]), json_like
    )
)
def test_whatever_comes_it_decodes_or_says_why(data: dict[str, object]) -> None:
    try:
        value = decode(Outer, data)
    except DecodeError as error:
        assert error.expected
        assert str(error)
    else:
        assert decode(Outer, encode(value)) == value


def test_type_hints_are_resolved_once_a_class_and_not_once_a_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, resolved = typing.get_type_hints, []

    def counted(kind: object) -> dict[str, object]:
        resolved.append(kind)
        return plain(kind)

    monkeypatch.setattr(typing, "get_type_hints", counted)
    many = [{"size": n} for n in range(1000)]
    assert len(decode(Outer, {"name": "a", "many": many}).many) == 1000
    assert len(resolved) <= 2


def test_a_whole_number_beyond_all_floats_is_refused_where_a_number_goes() -> None:
    error = failing({"name": "a", "share": 10**400})
    assert (error.path, error.expected) == ("share", "a finite number")
