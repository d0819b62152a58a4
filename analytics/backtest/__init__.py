"""How well would we have predicted this history? Learns from its first part, predicts the rest, and compares.

A row is a device-day; its label is 1 if the device fails in (t, t + H]. Rows at or after a failure, and windows cut by the end of the
data or by a device that vanished, are left out. H days are purged before the cut: no label the model learns from reaches past it, and
what it learns from is told by what was known on the day of the cut: a device not seen since is a vanished one, though it came back.
The model is the mean of several, each of which has not seen one fold of the devices; that one alone predicts them as "devices never seen
in training". Only its calibration, one or three numbers, is common to all.
"""

from analytics.backtest.refusals import TooLittle
from analytics.backtest.report import Backtest, backtest, backtested

__all__ = ["Backtest", "TooLittle", "backtest", "backtested"]
