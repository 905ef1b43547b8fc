"""Which actions there are in each version of OCPP, and who may send them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum

from evcs.core.ocpp.rules import Version

#: What tells energy: what can be read of it counts, though it is answered with an error.
TELL_ENERGY = frozenset({"MeterValues", "StopTransaction", "TransactionEvent"})


class Sender(StrEnum):
    """Who sends a CALL."""

    CHARGER = "charger"
    CENTRAL_SYSTEM = "central system"


_NAMES = {
    (
        Version.V16,
        Sender.CHARGER,
    ): """Authorize BootNotification DataTransfer DiagnosticsStatusNotification
        FirmwareStatusNotification Heartbeat LogStatusNotification MeterValues
        SecurityEventNotification SignCertificate SignedFirmwareStatusNotification StartTransaction
        StatusNotification StopTransaction""",
    (
        Version.V16,
        Sender.CENTRAL_SYSTEM,
    ): """CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache
        ClearChargingProfile DataTransfer DeleteCertificate ExtendedTriggerMessage
        GetCompositeSchedule GetConfiguration GetDiagnostics GetInstalledCertificateIds
        GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction RemoteStopTransaction
        ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage
        UnlockConnector UpdateFirmware""",
    (
        Version.V201,
        Sender.CHARGER,
    ): """Authorize BootNotification ClearedChargingLimit DataTransfer FirmwareStatusNotification
        Get15118EVCertificate GetCertificateStatus Heartbeat LogStatusNotification MeterValues
        NotifyChargingLimit NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds
        NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport NotifyReport
        PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate
        SecurityEventNotification SignCertificate StatusNotification TransactionEvent""",
    (
        Version.V201,
        Sender.CENTRAL_SYSTEM,
    ): """CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile
        ClearDisplayMessage ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer
        DeleteCertificate GetBaseReport GetChargingProfiles GetCompositeSchedule GetDisplayMessages
        GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport GetReport
        GetTransactionStatus GetVariables InstallCertificate PublishFirmware
        RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList
        SetChargingProfile SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile
        SetVariableMonitoring SetVariables TriggerMessage UnlockConnector UnpublishFirmware
        UpdateFirmware""",
}
_TABLE: Mapping[tuple[Version, Sender], Set[str]] = {
    key: frozenset(names.split()) for key, names in _NAMES.items()
}


def actions(version: Version, sender: Sender) -> Set[str]:
    """What it may send in that version."""
    return _TABLE[version, sender]


def knows(version: Version, action: str) -> bool:
    """Whether that version has such an action at all, in whichever direction."""
    return any(action in actions(version, sender) for sender in Sender)
