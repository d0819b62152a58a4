"""The rows: devices, findings, notices, tickets and what led to them."""
