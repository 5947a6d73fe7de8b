"""What predictions tell of all trials together: accuracy, damage, stress."""
