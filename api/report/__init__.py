"""The form on which people report a problem: behind a customer's link, and behind the code on a device, which opens it to anybody."""
