"""Prices that are given on the command line, in place of those that targets declare."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from profiler.errors import InputError
from profiler.schema.device.cost import Cost
from profiler.units import parse_price
from profiler.wire.codec import nearest


def read(texts: Sequence[str], targets: Collection[str]) -> dict[str, Cost]:
    """'local-cpu=0.20USD/h' -> target and its cost, of today. Raises InputError."""
    found: dict[str, Cost] = {}
    for text in texts:
        name, equals, price = text.partition("=")
        if not equals:
            raise InputError(
                f"--price: expected TARGET=PRICE, got {text!r}",
                hint=f"e.g. --price {next(iter(targets))}=0.20USD/h",
            )
        if name not in targets:
            hint = nearest(name, targets) or f"targets: {', '.join(targets)}"
            raise InputError(f"--price: no target is called {name!r}", hint=hint)
        try:
            per_hour, currency = parse_price(price, "h")
        except ValueError as error:
            raise InputError(f"--price: {name}: {error}") from None
        found[name] = Cost(
            per_hour=per_hour, currency=currency, as_of=date.today().isoformat(),
            source="given with --price",
        )  # fmt: skip
    return found
