"""The composition root: where jobs go."""
