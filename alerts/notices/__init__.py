"""Notices to customers: their words, and writing them down."""
