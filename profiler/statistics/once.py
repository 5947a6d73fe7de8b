"""Trials that sent the same predictions share one array, and what is told from it is told once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def once(values: Mapping[str, Any], make: Callable[[Any], T]) -> dict[str, T]:
    """Trial -> make(its value), made once for each object, so that shared ones stay shared."""
    made: dict[int, T] = {}
    for value in values.values():
        if id(value) not in made:
            made[id(value)] = make(value)
    return {trial: made[id(value)] for trial, value in values.items()}


class Pairs:
    """Calls a function of two objects once for each pair of them.

    The objects have to live as long as this does: they are told apart by what `id` says.
    """

    def __init__(self, make: Callable[[Any, Any], Any]) -> None:
        self._make = make
        self._made: dict[tuple[int, int], Any] = {}

    def __call__(self, one: Any, other: Any) -> Any:
        key = (id(one), id(other))
        if key not in self._made:
            self._made[key] = self._make(one, other)
        return self._made[key]
