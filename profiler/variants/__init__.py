"""Transformed models, each made by a recipe and named by the hash of its content. Host only."""

from profiler.variants.answer import query_of
from profiler.variants.build import RECIPES, build
from profiler.variants.several import build_all

__all__ = ["RECIPES", "build", "build_all", "query_of"]
