"""Whether a probability is worth a finding: what failures, notices and false alarms cost, and how many findings a week may open."""
