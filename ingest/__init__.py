"""Messages in, readings out."""
