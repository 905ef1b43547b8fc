"""The OCPP gateway: chargers that dial in are CPs like all others."""
