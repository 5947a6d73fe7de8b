"""What a target file says of a device, and the facts found there."""
