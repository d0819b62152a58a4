"""A maker's history from CSV and Parquet files, described by a mapping file."""

from hearthwatch.history.mapping import HistoryMapping, parse_mapping, read_mapping
from hearthwatch.history.reader import History, read_history
from hearthwatch.history.remarks import Remark
from hearthwatch.history.survey import Survey
from hearthwatch.history.values import HistoryMetric, Quality, RejectedRow

__all__ = [
    "History",
    "HistoryMapping",
    "HistoryMetric",
    "Quality",
    "RejectedRow",
    "Remark",
    "Survey",
    "parse_mapping",
    "read_history",
    "read_mapping",
]
