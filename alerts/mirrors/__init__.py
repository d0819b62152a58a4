"""Tickets in outside service desks: ours are told there, and what happens there comes back."""
