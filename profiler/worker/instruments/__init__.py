"""What is read of the machine: facts, energy, heat, memory, noise."""
