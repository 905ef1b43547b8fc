"""What Central makes of what it hears, a module for each who speaks; `decide` is the way in."""
