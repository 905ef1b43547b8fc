"""What a station does beside charging: states one after the other, each in its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_jobs import FIRMWARE, IDLE, LOG, Job, Jobs, JobStep

BEGAN = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
SENT = Job("Log", {"requestId": 7}, [JobStep("Uploading", 10), JobStep("Uploaded")])


def at(clock: float) -> At:
    return At(clock, BEGAN + timedelta(seconds=clock))


def told(jobs: Jobs) -> list[str]:
    found = [payload["status"] for _, payload in jobs.untold]
    for _ in found:
        jobs.told()
    return found


def test_states_come_in_their_time_and_are_told_with_the_request() -> None:
    jobs = Jobs()
    assert (jobs.due, jobs.status(LOG)) == (None, IDLE)
    assert not jobs.begin(LOG, SENT, at(0))
    jobs.tick(at(0), charging=False)
    assert list(jobs.untold) == [("Log", {"status": "Uploading", "requestId": 7})]
    assert (jobs.due, jobs.status(LOG), jobs.request(LOG)) == (10, "Uploading", {"requestId": 7})
    jobs.tick(at(9.9), charging=True)
    assert told(jobs) == ["Uploading"]
    jobs.tick(at(10), charging=True)
    assert told(jobs) == ["Uploaded"]
    assert (jobs.due, jobs.status(LOG), jobs.request(LOG)) == (None, IDLE, {})


def test_a_step_waits_for_its_time_and_for_the_end_of_a_charge() -> None:
    jobs = Jobs()
    steps = [
        JobStep("Downloading", 5, BEGAN + timedelta(seconds=100)), JobStep("Downloaded"),
        JobStep("Installing", 5, free=True), JobStep("Installed", event="FirmwareUpdated"),
    ]  # fmt: skip
    jobs.begin(FIRMWARE, Job("Firmware", {}, steps), at(0))
    events = []
    for second in range(200):
        events += jobs.tick(at(second), charging=second < 150)
        if second == 99:
            assert told(jobs) == []
        if second == 149:
            assert told(jobs) == ["Downloading", "Downloaded"]
    assert told(jobs) == ["Installing", "Installed"]
    assert events == ["FirmwareUpdated"]


def test_when_it_is_due_it_goes_on() -> None:
    """Whatever it waits for, whoever ticks only then sees every state."""
    jobs, clock, seen = Jobs(), 0.0, []
    steps = [JobStep("A", 3), JobStep("B", 0.5, BEGAN + timedelta(seconds=200.5)), JobStep("C")]
    jobs.begin(FIRMWARE, Job("Firmware", {}, steps), at(0))
    for _ in range(20):
        jobs.tick(at(clock), charging=False)
        seen += [(clock, status) for status in told(jobs)]
        if jobs.due is None:
            break
        clock = jobs.due
    assert seen == [(0.0, "A"), (200.5, "B"), (201.0, "C")]


def test_while_it_waits_for_a_charge_to_end_it_looks_each_second() -> None:
    jobs = Jobs()
    steps = [JobStep("Installing", 5, BEGAN - timedelta(seconds=9), free=True)]
    jobs.begin(FIRMWARE, Job("Firmware", {}, steps), at(0))
    jobs.tick(at(0), charging=True)
    assert jobs.due == 1.0


def test_another_of_its_kind_takes_its_place() -> None:
    jobs = Jobs()
    jobs.begin(LOG, SENT, at(0))
    jobs.tick(at(0), charging=False)
    assert jobs.begin(LOG, SENT._replace(payload={"requestId": 8}), at(5))
    assert not jobs.begin(FIRMWARE, SENT, at(5))
    jobs.tick(at(12), charging=False)
    assert [payload["requestId"] for _, payload in jobs.untold] == [7, 8, 7]
