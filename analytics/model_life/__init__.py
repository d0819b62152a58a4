"""What becomes of a trained model: its race against a challenger, its drift, its demotion, its card."""

from __future__ import annotations
