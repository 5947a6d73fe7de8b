"""A device over the user's own OpenSSH client."""
