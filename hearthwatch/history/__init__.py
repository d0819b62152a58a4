"""History in files: what the columns mean, and reading them."""
