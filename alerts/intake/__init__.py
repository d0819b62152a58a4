"""What people report about their devices, by whatever way it comes: one use case, one queue."""
