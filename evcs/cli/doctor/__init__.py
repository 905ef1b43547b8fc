"""`evcs doctor`: what is wrong with this machine, home or running system, and what to do."""
