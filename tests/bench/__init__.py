"""Ratios to nginx and to peers, measured in one run on loopback: `make bench`.  Bounded in time and count."""
