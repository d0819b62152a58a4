"""Service levels: business calendars, the terms of a policy, and the clocks of tickets. Pure, without any store."""
