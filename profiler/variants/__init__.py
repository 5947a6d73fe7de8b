"""Transformed models, each made by a recipe and named by the hash of its content. Host only."""

from profiler.variants.checks.answer import query_of
from profiler.variants.making.build import build
from profiler.variants.making.several import build_all

__all__ = ["build", "build_all", "query_of"]
