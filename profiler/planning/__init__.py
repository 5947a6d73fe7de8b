"""Study and targets in, plan out. Pure: no file, no device, no clock."""

from profiler.planning.estimate import estimate
from profiler.planning.expand import Known, expand
from profiler.planning.groups import pack
from profiler.planning.make import make_plan
from profiler.planning.resume import go_on

__all__ = ["Known", "estimate", "expand", "go_on", "make_plan", "pack"]
