"""The conversation on the device's side: roles, turns and presence."""
