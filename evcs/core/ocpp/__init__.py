"""OCPP-J as its standards have it: frames, actions, rules."""
