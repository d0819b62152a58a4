"""How messages arrive and leave."""
