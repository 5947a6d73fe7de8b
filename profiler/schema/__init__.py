"""Frozen dataclasses of study, target, plan and measurement, and their strict decoding.

`codec` and `wire` also travel to the device: standard library only, Python 3.8 source.
"""
