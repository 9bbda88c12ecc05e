"""What only tests ask for: scripted faults and counters; loaded with the first request for them."""
