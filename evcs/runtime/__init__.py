"""What every process runs on: one loop, no threads."""
