"""The packages a target needs: an environment of its own, made once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from profiler.schema.limits import check
from profiler.wire.codec import DecodeError

REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9._,-]+\])?"
    r"(?:(?:==|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!_-]+(?:,(?:==|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!_-]+)*)?"
)
"""A name with extras and versions. No options, paths or addresses: nothing but what is meant."""
_BESIDE = ("onnxruntime-ep-", "onnxruntime-extensions", "onnxruntime-genai", "onnxruntime-tools")


def project(requirement: str) -> str:
    """Normalised name of a requirement (PEP 503): 'Onnx_Runtime[x]==1' -> 'onnx-runtime'."""
    match = REQUIREMENT.fullmatch(requirement)
    name = match["name"] if match else requirement
    return re.sub(r"[-_.]+", "-", name).lower()


def is_base(name: str) -> bool:
    """Whether a project provides the module `onnxruntime` itself, so that only one fits.

    onnxruntime-qnn is a plug-in since 2.0 and a base package before; it counts as a plug-in.
    """
    if name != "onnxruntime" and not name.startswith("onnxruntime-"):
        return False
    return name != "onnxruntime-qnn" and not name.startswith(_BESIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What is installed for a target, and from where."""

    packages: tuple[str, ...]
    """e.g. ["onnxruntime==1.31.1", "onnxruntime-ep-openvino==1.8.1", "numpy"]"""
    extra_index: Optional[str] = None
    """a vendor's package index beside the usual one (https://…)"""

    def __post_init__(self) -> None:
        check(self)
        if not self.packages:
            raise DecodeError("packages", "at least one package", list(self.packages))
        for index, package in enumerate(self.packages):
            if not REQUIREMENT.fullmatch(package):
                raise DecodeError(
                    f"packages[{index}]", 'a package such as "onnxruntime==1.31.1"', package
                )
        bases = [name for name in map(project, self.packages) if is_base(name)]
        if len(bases) > 1:
            raise DecodeError(
                "packages",
                "one onnxruntime package (they overwrite each other's files)",
                " and ".join(bases),
                "make a second target for the other one",
            )
        if self.extra_index is not None and not self.extra_index.startswith("https://"):
            raise DecodeError("extra_index", "an address that begins with https://", "another")
