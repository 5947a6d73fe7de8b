"""profiler: which variant of my model, on which hardware, at what cost, and how sure are you?

This module stays nearly empty: it travels to devices inside the worker archive and is imported by
`profiler --help`. The public Python API is loaded on first use.

    from profiler import Study, load, run

    results = run(Study.read("study.toml"))
    results.table()  # pandas.DataFrame, one row per trial
"""

__version__ = "0.1.0"

NEEDS = "profiler needs Linux, macOS or WSL: it drives devices and processes as Unix does"

_PUBLIC = {
    "Study": "profiler.schema.study.study",
    "Results": "profiler.results.results",
    "load": "profiler.results.results",
    "run": "profiler.campaign.run",
}

__all__ = ["Results", "Study", "__version__", "load", "run"]


def __getattr__(name):  # type: ignore[no-untyped-def]
    """PEP 562: import the module behind a public name when it is first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'profiler' has no attribute {name!r}")
    import sys

    if sys.platform == "win32":
        raise ImportError(NEEDS)
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)
