"""What only tests ask for: scripted faults and statistics."""
