"""What CPs, drivers, meters and hosts say on the bus: how much of it is read, whoever reads it."""

from __future__ import annotations

from evcs.core import messages as m
from evcs.core import topics

LIMITED = frozenset({"cp", "driver", "meter", "manager"})
#: To read and drop a message costs time: 20,000 a second are read, on a machine that others keep
#: busy some hundred, and the broker keeps all the rest. Who says so much is shut out. Of what is
#: dropped length costs less.
FLOOD_AT_ONCE = 4_000.0
FLOOD_A_SECOND = 100.0
A_DROPPED = 2_048


def cost(payload: bytes) -> float:
    """What a message takes that is dropped."""
    return 1.0 + len(payload) // A_DROPPED


def decode_short(topic: str, payload: bytes) -> m.Message | m.Cleared:
    """What a publication says, where none of theirs is long. Raises Unreadable."""
    if len(payload) > topics.MAX_SAID and topics.sender(topic)[0][0] in LIMITED:
        raise topics.Unreadable("longer than anybody has to say")
    return topics.decode(topic, payload)
