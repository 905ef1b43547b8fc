"""Benchmarks: each figure beside a floor that is measured in the same run."""

NAMES = (
    "create", "bulk_create", "power_cut", "down", "memory", "cpu", "request", "intake", "sessions",
    "registry", "pools", "supplying", "hosts", "ocpp", "backends", "load",
)  # fmt: skip
