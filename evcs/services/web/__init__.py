"""The web process: what people see of the system in a browser, and their hands on it."""
