"""Statistics of the profiler: pure functions over numbers, no files, no clocks, no processes.

- ``percentiles``: the one percentile method, and how many queries a percentile needs
- ``intervals``: intervals across rounds (fresh processes), never across queries
- ``compare``: paired ratios, verdicts, families of verdicts, when to stop measuring
- ``paired``: accuracy of a variant against its baseline on the same examples

The submodules import numpy at the top and SciPy inside the functions that need it; nothing is
imported here, so that ``import profiler`` stays light.
"""
