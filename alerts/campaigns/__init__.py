"""Recalls and security notices: what is said to whom, approved by two people, sent, followed until every device is settled."""
