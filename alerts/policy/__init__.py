"""What a policy says, and what the standing findings ask for under it."""
