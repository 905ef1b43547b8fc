"""What can go wrong for a user, with the exit code and HTTP status that say so."""

from __future__ import annotations

#: What to do about a store of which no good copy is left.
RESTORE = "move data/ and conf/supervisord.d/ away, then: evcs restore FILE"


class EvcsError(Exception):
    """A failure whose cause is known: what is wrong, and what to do next.

    `message` is one line for a person, `hint` the next step (may be empty).
    Exit codes and HTTP statuses are the contract's.
    """

    code = "failed"
    exit_code = 1
    http_status = 500

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def line(self) -> str:
        """Both in one."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    @property
    def body(self) -> dict[str, str]:
        """Both apart, as answers on the bus and the commands' JSON have them."""
        return {"message": self.message, "hint": self.hint}


class BadValue(EvcsError):
    """A value outside what is allowed; names the field, what was given and what is allowed."""

    code, exit_code, http_status = "bad_value", 2, 400


class NotFound(EvcsError):
    """No such CP, driver or session."""

    code, exit_code, http_status = "not_found", 4, 404


class Conflict(EvcsError):
    """It exists already, is busy, or is in the wrong state."""

    code, exit_code, http_status = "conflict", 5, 409


class Deleting(Conflict):
    """The id belongs to a CP whose deletion is under way."""

    code = "deleting"


class OtherFormat(Conflict):
    """A host and its centre don't speak alike: one of them is to be upgraded."""

    code = "other_format"


class Unreachable(EvcsError):
    """Broker, Registry, Central or supervisord does not answer."""

    code, exit_code, http_status = "unreachable", 6, 503


class TimedOut(EvcsError):
    """What was waited for did not happen in time."""

    code, exit_code, http_status = "timeout", 7, 503


class NoRoom(EvcsError):
    """This machine doesn't carry what is wanted; nothing of it was made."""

    code, http_status = "no_room", 503


class PartFailed(EvcsError):
    """Some items of a bulk failed."""

    code, exit_code = "part_failed", 8


class Denied(EvcsError):
    """Authorisation or credentials were refused."""

    code, exit_code, http_status = "denied", 9, 401


class Forbidden(Denied):
    """The caller is known, or comes from a foreign page, and may not do this."""

    code, http_status = "forbidden", 403


class TooLarge(BadValue):
    """More bytes than a request may have."""

    code, http_status = "too_large", 413


def in_a_line(error: Exception) -> str:
    """What is wrong and what to do next; empty for an error whose cause is not known."""
    if isinstance(error, EvcsError):
        return error.line
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; see: evcs doctor"
    return ""


def _all(cls: type[EvcsError]) -> list[type[EvcsError]]:
    return [cls, *(found for sub in cls.__subclasses__() for found in _all(sub))]


BY_CODE: dict[str, type[EvcsError]] = {cls.code: cls for cls in _all(EvcsError)}
