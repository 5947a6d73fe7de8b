"""From samples to a trial's numbers, with what disturbed them."""
