"""The commands people type; the only place that prints."""
