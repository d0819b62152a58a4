"""Service tickets: opening, working and closing them."""
