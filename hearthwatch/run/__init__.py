"""The roof: builds everything and knows every stage."""
