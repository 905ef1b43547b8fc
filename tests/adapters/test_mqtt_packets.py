from __future__ import annotations

import pytest

from evcs.adapters import mqtt_packets as packets
from evcs.core.topics import Publication


@pytest.mark.parametrize("size", [0, 1, 90, 127, 128, 16_200, 16_383, 16_384, 65_000])
@pytest.mark.parametrize("expiry_s", [None, 0, 30])
@pytest.mark.parametrize("qos", [0, 1])
def test_what_is_published_is_what_is_delivered(size: int, expiry_s: int | None, qos: int) -> None:
    said = Publication("evcs/v1/cp/é/x", b"\x80" * size, qos, bool(size % 2), expiry_s)
    packet = packets.publish(said, 0xABCD)
    length, begins = packets.number(packet, 1)
    assert begins + length == len(packet)
    mid = 0xABCD if qos else 0
    assert packets.delivered(packet) == (said.topic, said.payload, said.retain, mid)


def test_packets_are_those_of_the_standard() -> None:
    said = Publication("a/b", b"hi", 1, True, 30)
    assert packets.publish(said, 10).hex() == "330f0003612f62000a05020000001e6869"
    assert packets.acknowledge(0x8001) == b"\x40\x02\x80\x01"
    assert packets.acknowledged(b"\x40\x02\x80\x01") == (0x8001, 0)
    assert packets.acknowledged(b"\x40\x04\x80\x01\x87\x00") == (0x8001, 0x87)
    assert packets.code(b"\x20\x06\x00\x87\x03\x22\x00\x0a") == 0x87


@pytest.mark.parametrize(("data", "found"), [(b"\x00", 0), (b"\x7f", 127), (b"\x80\x01", 128),
                                             (b"\xff\xff\xff\x7f", 268_435_455)])  # fmt: skip
def test_a_number_takes_as_many_bytes_as_it_needs(data: bytes, found: int) -> None:
    assert packets.number(b"x" + data + b"y", 1) == (found, 1 + len(data))


def test_a_number_that_is_not_all_there_or_is_none_says_so() -> None:
    with pytest.raises(IndexError):
        packets.number(b"\x30\xff", 1)
    with pytest.raises(ValueError, match="no MQTT"):
        packets.number(b"\x30\xff\xff\xff\xff\x01", 1)
