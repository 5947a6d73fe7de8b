"""Where the time goes: traces taken on a target, and what they say."""
