"""The CP Manager: what is wanted of this host's CPs is what supervisord runs."""
