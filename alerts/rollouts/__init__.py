"""What a decision about a roll-out sets in motion: messages, the service that deploys, and what people do to it."""
