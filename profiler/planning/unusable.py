"""A runtime that is on the device and can't be used: why, in its own words, and what to try."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ADVICE = (
    (
        r"SIGILL",
        "this build uses instructions that the processor (or its emulation) does not have: try"
        " another version, older ones first: pip install 'onnxruntime<{version}'",
    ),
    (
        r"SIGSEGV|SIGBUS|SIGABRT",
        "its files may be damaged or built for another system: pip install --force-reinstall"
        " onnxruntime, or another version",
    ),
    (
        r"failed to map segment|Operation not permitted",
        "its folder lies on a disk that runs no programs (mounted noexec): set folder under [ssh]"
        " to one on another disk",
    ),
    (
        r"GLIBCXX_|GLIBC_|CXXABI_",
        "this build needs a newer system: try an older version (on a Jetson the vendor's wheel):"
        " pip install 'onnxruntime<{version}'",
    ),
    (
        r"static TLS block",
        "start it with the library loaded first: a script as `python` with"
        ' LD_PRELOAD=libgomp.so.1 exec python3 "$@"',
    ),
    (r"libgomp\.so", "install it there (Debian: sudo apt install libgomp1)"),
    (
        r"ELFCLASS|ELF class|invalid ELF header|cannot open shared object file: No such file",
        "Python and package are of different kinds (32 and 64 bits, or another processor): install"
        " the package with this very Python",
    ),
    (
        r"_ARRAY_API|NumPy 1\.x|numpy\.core\.multiarray",
        "numpy and onnxruntime don't go together: pip install 'numpy<2', or a newer onnxruntime",
    ),
)


def unusable(facts: Mapping[str, Any]) -> tuple[str, str] | None:
    """(reason, hint) where a target has no runtime that works; None where it has one."""
    if facts.get("onnxruntime") and facts.get("numpy", True):
        return None
    error = facts.get("numpy_error") or facts.get("onnxruntime_error")
    if error is None:
        return (
            "onnxruntime is not installed on the target",
            "pip install onnxruntime (in the target's Python)",
        )
    name = "numpy" if facts.get("numpy_error") else "onnxruntime"
    version = re.search(r"onnxruntime (\d[\w.]*)", error)
    for pattern, advice in ADVICE:
        if re.search(pattern, error):
            hint = advice.format(version=version[1] if version else "1.20")
            break
    else:
        hint = f"python3 -c 'import {name}' there must end without a word"
    return f"{name} is on the target and can't be used: {error}", hint
