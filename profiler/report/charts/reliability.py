"""How often a trial is right where it says it is sure: the reliability curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profiler.report.model.contents import ReportInput
from profiler.report.model.theme import LIGHT, WIDE, Size, Theme, colours

if TYPE_CHECKING:
    import altair as alt


def reliability_panel(
    report: ReportInput, *, size: Size = WIDE, theme: Theme = LIGHT
) -> alt.LayerChart | None:
    """One line a variant over bins of equal mass, and the diagonal where a score keeps its word.

    None without scores of classes.
    """
    if not report.reliability:
        return None
    import altair as alt

    values: list[dict[str, Any]] = [
        {
            **dict(zip(("model", "variant"), trial.split(" ", 1), strict=True)),
            **{k: bin_[k] * 100 for k in ("confidence", "accuracy")},
            "n": bin_["n"],
        }
        for trial, bins in report.reliability.items()
        for bin_ in bins
    ]
    models = list(dict.fromkeys(v["model"] for v in values))
    low = min(min(v["confidence"], v["accuracy"]) for v in values)
    scale = alt.Scale(domain=[max(0.0, low - 2), 100], nice=False)
    x = alt.X("confidence:Q", scale=scale, title="score given (%)")
    y = alt.Y("accuracy:Q", scale=scale, title="right (%)")
    lines = alt.Chart(alt.Data(values=values)).mark_line().encode(
        x=x,
        y=y,
        color=alt.Color(
            "model:N", scale=alt.Scale(domain=models, range=colours(models, theme)), title="model"
        ),
        strokeDash=alt.StrokeDash("variant:N", sort=None, title="variant"),
        tooltip=["model:N", "variant:N", alt.Tooltip("confidence:Q", format=".1f"),
                 alt.Tooltip("accuracy:Q", format=".1f"), "n:Q"],
    )  # fmt: skip
    ends = [{"confidence": v, "accuracy": v} for v in scale.domain]
    diagonal = alt.Chart(alt.Data(values=ends)).mark_line(
        strokeWidth=1, color=theme.muted, opacity=0.7
    ).encode(x=x, y=y)  # fmt: skip
    side = min(size.width, 340)
    return alt.layer(diagonal, lines).properties(
        width=side, height=side, title="Reliability: right as often as the score says?",
        description="Reliability curve: share of right answers against the score given, per "
        "variant. Below the thin diagonal the scores promise too much.",
    )  # fmt: skip
