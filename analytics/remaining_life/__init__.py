"""Remaining useful life of parts that wear: learned from histories that ran to failure, told as P10, P50 and P90."""
