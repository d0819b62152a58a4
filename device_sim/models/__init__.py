"""The device models: what each one measures, and the physics behind it."""
