"""What closed cases teach: surveys after closing, failures in the field by what devices have in common, and figures of the service."""
