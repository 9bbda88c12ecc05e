"""The control plane: moto, with what it lacks."""
