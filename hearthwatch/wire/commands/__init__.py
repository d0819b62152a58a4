"""What devices can be asked over MQTT: `requests` says how each convention is asked, `routes` where a device listens."""
