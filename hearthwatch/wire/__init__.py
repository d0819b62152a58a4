"""What devices say, and how each convention says it."""
