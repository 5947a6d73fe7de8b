"""What a results folder holds: plan, artifacts, what is recorded and what may be shared."""
