"""A simulated fleet, its homes and its people."""
