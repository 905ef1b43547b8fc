"""evcs: an electric-vehicle charging network that comes back after every crash."""

__version__ = "0.1.0"
