"""How the figures look: colours, sizes, and the Vega-Lite configuration."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any, Final

# The first is what the label placement assumes; all have its widths.
FONT: Final = "Arial, 'Liberation Sans', Helvetica, sans-serif"
PLAIN: Final = "format(datum.value, '~f')"  # axis labels: no exponent, no trailing zeros
SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours on paper or on a dark screen."""

    ink: str
    muted: str
    grid: str
    paper: str
    palette: tuple[str, ...]


# Okabe and Ito (2008), told apart with every common colour blindness; the faint ones last.
LIGHT: Final = Theme(
    ink="#1c2128",
    muted="#5b6470",
    grid="#eceef1",
    paper="#ffffff",
    palette=("#0072b2", "#d55e00", "#009e73", "#a14f7f", "#56b4e9", "#e69f00", "#000000"),
)
DARK: Final = Theme(
    ink="#e7eaee",
    muted="#a3adb8",
    grid="#2b3138",
    paper="#16191d",
    palette=("#56b4e9", "#f0863c", "#2cc79a", "#dc8fbb", "#e6c229", "#9aa7ff", "#ffffff"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The plot's own size in pixels, without axes and legends."""

    width: int
    height: int
    font: int = 12
    legend: str = "right"
    reach: float = 105
    """how far a label may stand from its point; one without room is left to the tooltip"""

    def lines(self, text: str, font: int) -> list[str]:
        """Text wrapped to the figure's width."""
        room = self.width + (110 if self.legend == "right" else 30)
        return textwrap.wrap(text, max(20, int(room / (0.52 * font)))) or [""]


WIDE: Final = Size(width=620, height=380)
NARROW: Final = Size(width=270, height=300, font=11, legend="bottom", reach=30)


def colours(names: list[str], theme: Theme) -> list[str]:
    """One colour for each name, the same in every figure that lists the names alike."""
    return [theme.palette[i % len(theme.palette)] for i in range(len(names))]


def shapes(names: list[str]) -> list[str]:
    """One point shape for each name."""
    return [SHAPES[i % len(SHAPES)] for i in range(len(names))]


def fixed_scale(low: float, high: float, *, log: bool) -> Any:
    """An Altair scale of exactly this domain: label placement and ticks rely on it."""
    import altair as alt

    if log:
        return alt.Scale(type="log", domain=[low, high], nice=False, padding=0)
    return alt.Scale(type="linear", domain=[low, high], nice=False, zero=False, padding=0)


def recoloured(spec: Any, old: Theme, new: Theme) -> Any:
    """A copy of a specification drawn in `old` that is in `new`."""
    pairs = [(getattr(old, name), getattr(new, name)) for name in ("ink", "muted", "grid", "paper")]
    exchange = dict([*zip(old.palette, new.palette, strict=True), *pairs])

    def walk(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: walk(value) for key, value in part.items()}
        if isinstance(part, list):
            return [walk(value) for value in part]
        return exchange.get(part, part) if isinstance(part, str) else part

    return walk(spec)


def config(theme: Theme, size: Size) -> dict[str, Any]:
    """The Vega-Lite `config` of every figure."""
    legend = {
        "labelColor": theme.ink,
        "titleColor": theme.muted,
        "titleFontWeight": "normal",
        "labelFontSize": size.font - 1,
        "titleFontSize": size.font - 1,
        "orient": size.legend,
        "symbolSize": 60,
        "rowPadding": 3,
        "offset": 14,
        "labelLimit": 240,
        "columns": 2 if size.legend == "bottom" else 1,
    }
    return {
        "font": FONT,
        "background": theme.paper,
        "padding": 6,
        "view": {"stroke": None},
        "axis": {
            "labelColor": theme.ink,
            "titleColor": theme.ink,
            "titleFontWeight": "normal",
            "labelFontSize": size.font - 1,
            "titleFontSize": size.font,
            "titlePadding": 8,
            "gridColor": theme.grid,
            "domainColor": theme.muted,
            "tickColor": theme.muted,
            "tickSize": 4,
            "labelPadding": 3,
        },
        "legend": legend,
        "title": {
            "anchor": "start",
            "color": theme.ink,
            "fontSize": size.font + 3,
            "subtitleColor": theme.muted,
            "subtitleFontSize": size.font,
            "subtitlePadding": 4,
            "offset": 14,
            "frame": "bounds",
        },
        "header": {"labelColor": theme.ink, "title": None, "labelFontSize": size.font},
    }
