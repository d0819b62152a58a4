"""What is known about failures: articles, past cases, and what a customer can try first."""
