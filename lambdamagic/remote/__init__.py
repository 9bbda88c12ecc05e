"""What runs inside Lambda."""
