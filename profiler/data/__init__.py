"""Evaluation sets: read, checked, split, fitted to a model, or made up. Host only."""

from profiler.data.bind import bind
from profiler.data.evaluation import Column, EvaluationSet
from profiler.data.judged import check_judged
from profiler.data.read import read
from profiler.data.synthesise import synthesise

__all__ = ["Column", "EvaluationSet", "bind", "check_judged", "read", "synthesise"]
