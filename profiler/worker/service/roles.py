"""What a process of the worker is for. Each imports only what it needs: runners start often."""

from __future__ import annotations

from pathlib import Path

from profiler.worker.isolated import add_packages


def main(arguments: list[str]) -> None:
    """`serve HOME` (the supervisor), `runner HOME` (its child) or `providers PLUGIN`."""
    add_packages()
    role, subject = arguments[:2]
    if role == "providers":
        from profiler.worker.backends import ort_providers

        ort_providers.main(subject)
    elif role == "runner":
        from profiler.worker.measuring import runner

        runner.main(Path(subject))
    else:
        from profiler.worker.service import serve

        serve.main(Path(subject))
