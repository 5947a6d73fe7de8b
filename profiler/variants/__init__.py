"""Transformed models, each made by a recipe and named by the hash of its content. Host only."""

from profiler.variants.build import RECIPES, build

__all__ = ["RECIPES", "build"]
