"""Frozen dataclasses of study, target, plan and record; `wire.codec` decodes them strictly."""
