from __future__ import annotations

# A broker with the repository's own settings, as the adapters' tests have it.
from tests.adapters.conftest import broker, home

__all__ = ("broker", "home")
