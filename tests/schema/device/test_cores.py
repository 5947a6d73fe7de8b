"""Kinds of cores, from what boards and hybrids tell of theirs."""

from typing import Any

import pytest

from profiler.schema.device.cores import resolve


def told(*groups: tuple[list[int], int | None, int | None], usable: int = 8) -> dict[str, Any]:
    named = [{"cpus": cpus, "capacity": capacity, "mhz": mhz} for cpus, capacity, mhz in groups]
    return {"usable_cpus": [*range(usable)], "core_groups": named}


RK3588 = told(([0, 1, 2, 3], 414, 1800), ([4, 5, 6, 7], 1024, 2400))
PI5 = told(([0, 1, 2, 3], 1024, 2400), usable=4)
PHONE = told(([0, 1, 2, 3], 325, 1800), ([4, 5, 6], 828, 2400), ([7], 1024, 3000))
HYBRID = told(([4, 5, 6, 7], None, 4300), ([0, 1], None, 5500), ([2, 3], None, 5800))
FAVOURED = told(([0, 1], None, 4900), ([2, 3], None, 5000), usable=4)


@pytest.mark.parametrize(
    ("facts", "big", "little"),
    [
        (RK3588, (4, 5, 6, 7), (0, 1, 2, 3)),
        (PHONE, (7,), (0, 1, 2, 3)),
        (HYBRID, (0, 1, 2, 3), (4, 5, 6, 7)),
        ({**RK3588, "usable_cpus": [0, 5]}, (5,), (0,)),
    ],
)
def test_big_and_little(facts: dict[str, Any], big: tuple[int], little: tuple[int]) -> None:
    assert resolve("big", facts) == (big, None)
    assert resolve("little", facts) == (little, None)
    assert resolve("all", facts) == (tuple(facts["usable_cpus"]), None)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (PI5, "all of one kind"),
        (FAVOURED, "all of one kind"),
        (told(), "does not tell"),
        (told(([0, 1, 2, 3], 414, None)), "does not tell"),
        ({**RK3588, "usable_cpus": [0, 1]}, "4, 5, 6, 7) are not usable"),
    ],
)
def test_why_there_is_no_such_kind(facts: dict[str, Any], reason: str) -> None:
    cpus, why = resolve("big", facts)
    assert cpus == ()
    assert reason in (why or "")
    assert resolve("all", facts)[1] is None


def test_nothing_is_said_before_the_facts_are_known() -> None:
    assert resolve("big", {}) == ((), None)
    assert resolve("all", {"usable_cpus": None, "core_groups": []}) == ((), None)
