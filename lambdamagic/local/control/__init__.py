"""The control plane: moto, with corrections."""
