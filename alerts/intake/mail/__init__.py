"""Inbound mail: bytes to words, whether a person wrote it, and which ticket it belongs to."""
