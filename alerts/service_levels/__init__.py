"""Service levels over the records: keeping the clocks of all tickets, telling people, counting what was kept."""
