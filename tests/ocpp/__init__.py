"""Chargers of other authors against a real system."""
