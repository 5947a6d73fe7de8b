"""Going on with a plan after the devices' facts have changed."""

from profiler.planning import go_on
from profiler.schema.record.plan import Exclusion, Group, Plan, Trial


def trial(target: str, name: str = "v") -> Trial:
    made = f"m/{name}@{target}"
    return Trial(
        id=made, model="m", variant=name, recipe=name, target=target, provider="p", threads=1,
        scenario="single_stream", batch=1, baseline=made,
    )  # fmt: skip


def plan(*groups: tuple[int, str, str], excluded: tuple[str, ...] = ()) -> Plan:
    made = tuple(
        Group(index=i, target=t, trials=(trial(t, n),), reference=f"m/{n}@{t}")
        for i, t, n in groups
    )
    left = tuple(Exclusion(trial=trial(t), reason="no") for t in excluded)
    return Plan(groups=made, exclusions=left, least_s=1, most_s=2)


def shown(made: Plan) -> list[tuple[int, str, str]]:
    return [(g.index, g.target, g.trials[0].variant) for g in made.groups]


def test_what_was_begun_keeps_its_numbers() -> None:
    old = plan((0, "a", "x"), (1, "a", "y"), (2, "b", "x"), excluded=("b",))
    new = plan((0, "a", "x+y"), (1, "b", "z"), (2, "b", "w"), excluded=("a",))
    made = go_on(new, old, {"a"})
    assert shown(made) == [(0, "a", "x"), (1, "a", "y"), (2, "b", "z"), (3, "b", "w")]
    assert [e.trial.target for e in made.exclusions] == []


def test_nothing_begun_is_the_new_plan() -> None:
    old, new = plan((0, "a", "x")), plan((0, "b", "y"), (1, "a", "z"))
    assert shown(go_on(new, old, set())) == shown(new)


def test_numbers_in_use_are_not_given_again() -> None:
    old = plan((0, "a", "x"), (1, "b", "x"))
    made = go_on(plan((0, "a", "n"), (1, "b", "n")), old, {"b"})
    assert sorted(shown(made)) == [(1, "b", "x"), (2, "a", "n")]
