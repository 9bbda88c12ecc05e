"""What runs inside Lambda. Nothing here imports the notebook's side."""
