"""Functions which the study names: imported from beside the study file, called, and explained."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from profiler.errors import ModelError
from profiler.sources.formats.torch_export import at
from profiler.sources.quiet import cause
from profiler.wire.codec import nearest


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Modules beside the study can be imported inside the block, and are forgotten after it.

    Two studies may each have a models.py; the second must not get the first one's.
    """
    before, place = set(sys.modules), str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        for name in set(sys.modules) - before:
            top = name.partition(".")[0]
            beside = (folder / f"{top}.py").is_file() or (folder / top).is_dir()
            if beside and top not in before:
                del sys.modules[name]


def imported(where: str, text: str) -> Any:
    """The user's 'module:function' or 'module.py:function'. Raises ModelError naming what failed.

    This imports and so runs the user's code, which the study says by naming it.
    """
    name, _, attribute = text.partition(":")
    name = name.removesuffix(".py")
    try:
        source = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ModelError(f'{where}: importing "{name}" failed: {cause(error)}') from None
        raise ModelError(
            f'{where}: expected a module that can be imported, got "{name}"',
            hint=f"put {error.name}.py beside the study file or install the package",
        ) from None
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ModelError(f'{where}: importing "{name}" failed: {at(error)}') from None
    found = getattr(source, attribute, None)
    if not callable(found):
        known = [key for key, value in vars(source).items() if callable(value) and key[0] != "_"]
        raise ModelError(
            f'{where}: expected a callable "{attribute}" in "{name}", found '
            f"{'none' if found is None else type(found).__name__}",
            hint=nearest(attribute, known) or f"it has: {', '.join(known) or 'no callables'}",
        )
    return found


def called(where: str, text: str) -> Any:
    """What the user's 'module:function' returns. Raises ModelError naming what failed."""
    found = imported(where, text)
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise ModelError(f'{where}: calling "{text}" failed: {at(error)}') from None
