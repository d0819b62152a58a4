"""What a policy would have done: stored history is enacted again in scratch records, with the very functions of the jobs."""
