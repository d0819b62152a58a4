"""What can be done about a fault: what it costs, who pays, and what is proposed."""
