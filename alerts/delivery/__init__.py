"""What leaves the house: sent once for each key, tried again, given up, and shown to people."""

from alerts.delivery.patience import FIRST_PAUSE, Patience
from alerts.delivery.sending import LEASE, deliver

__all__ = ["FIRST_PAUSE", "LEASE", "Patience", "deliver"]
