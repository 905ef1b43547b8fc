"""One module for each thing outside: broker, supervisord, stores, files, HTTP."""
