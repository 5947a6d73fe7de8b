"""What a study file says: models, variants, data, scenarios, limits."""
