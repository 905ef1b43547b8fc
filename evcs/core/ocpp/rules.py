"""What OCPP-J's standards say of what is not as it should be, as a table, for both versions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum, unique
from typing import NamedTuple


class Version(StrEnum):
    """A version of OCPP; its value is the WebSocket's subprotocol."""

    V16 = "ocpp1.6"
    V201 = "ocpp2.0.1"


class Code(StrEnum):
    """What a CALLERROR says, as 2.0.1 spells it; `spelled` gives the word of a version."""

    FORMAT = "FormatViolation"
    GENERIC = "GenericError"
    INTERNAL = "InternalError"
    MESSAGE_TYPE = "MessageTypeNotSupported"
    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    OCCURRENCE = "OccurrenceConstraintViolation"
    PROPERTY = "PropertyConstraintViolation"
    PROTOCOL = "ProtocolError"
    RPC_FRAMEWORK = "RpcFrameworkError"
    SECURITY = "SecurityError"
    TYPE = "TypeConstraintViolation"

    def spelled(self, version: Version) -> str:
        """The word on the wire. 1.6 keeps two errors of spelling, and lacks two codes."""
        return _IN_V16.get(self, self.value) if version is Version.V16 else self.value


_IN_V16 = {
    Code.FORMAT: "FormationViolation",
    Code.OCCURRENCE: "OccurenceConstraintViolation",
    Code.RPC_FRAMEWORK: "FormationViolation",
    Code.MESSAGE_TYPE: "NotSupported",
}

#: The id of an answer to a frame whose own id can't be read.
NO_ID = "-1"
MAX_ID = 36
MAX_DESCRIPTION = 255
#: No message of either version has half as many levels.
MAX_DEPTH = 32
MAX_FRAME_BYTES = 64 * 1024
#: CALLs of one charger that wait for their turn. It should not send a second one before it has the
#: answer to the first.
MAX_WAITING = 32


class Rule(NamedTuple):
    """What comes of one kind of fault.

    `code`: of the CALLERROR that goes back, None: nothing does. `own_id`: it has the frame's id,
    else NO_ID. `since`: only from this version on, in those before it is ignored. `close`: the code
    with which the connection is closed, None: it stays.
    """

    what: str
    code: Code | None = None
    own_id: bool = True
    since: Version = Version.V16
    close: int | None = None

    def answer(self, version: Version) -> str | None:
        """The code on the wire, if one goes back in that version."""
        if self.code is None or (version is Version.V16 and self.since is not Version.V16):
            return None
        return self.code.spelled(version)


@unique
class Fault(Enum):
    """Each kind of fault, in the order in which they are looked for."""

    TOO_LARGE = Rule(f"a frame of more than {MAX_FRAME_BYTES} bytes", close=1009)
    BINARY = Rule("a binary frame", close=1003)
    NOT_UTF8 = Rule("a text frame that is not UTF-8", close=1007)
    NOT_JSON = Rule("text that is not JSON, or has NaN, Infinity or half a character",
                    Code.RPC_FRAMEWORK, own_id=False)  # fmt: skip
    NOT_A_LIST = Rule("JSON that is not a list, or an empty one", Code.RPC_FRAMEWORK, own_id=False)
    MESSAGE_TYPE = Rule("a message type other than 2, 3 and 4", Code.MESSAGE_TYPE,
                        since=Version.V201)  # fmt: skip
    NO_ID = Rule("a CALL whose id is missing, empty or no string", Code.RPC_FRAMEWORK, own_id=False)
    LONG_ID = Rule(f"a CALL whose id has more than {MAX_ID} characters", Code.RPC_FRAMEWORK,
                   own_id=False)  # fmt: skip
    NOT_A_CALL = Rule("a CALL that has not four elements, or whose action is no string",
                      Code.RPC_FRAMEWORK)  # fmt: skip
    PAYLOAD = Rule("a CALL whose payload is neither an object nor null", Code.FORMAT)
    DEPTH = Rule(f"a CALL of more than {MAX_DEPTH} levels", Code.FORMAT)
    BAD_ANSWER = Rule("a CALLRESULT or CALLERROR without an id or what belongs to it; our CALL "
                      "of that id has failed")  # fmt: skip
    UNASKED = Rule("a CALLRESULT or CALLERROR that nobody asked for, or that came too late")
    SAME_ID = Rule("a CALL with the id of one that is being handled: both get the one answer")
    TOO_MANY = Rule(f"a CALL while {MAX_WAITING} others wait; two or more at once are answered "
                    "in their order", Code.GENERIC)  # fmt: skip
    UNKNOWN_ACTION = Rule("an action that the version does not know", Code.NOT_IMPLEMENTED)
    UNSERVED_ACTION = Rule("an action that it knows, not for this direction or not served here",
                           Code.NOT_SUPPORTED)  # fmt: skip
    MISSING = Rule("a required field is missing, a list is too short or too long", Code.OCCURRENCE)
    TYPE = Rule("a field of a wrong type", Code.TYPE)
    EXTRA = Rule("a field that the action does not have", Code.FORMAT)
    VALUE = Rule("a value that is not allowed: not in the enumeration, too long, no time, out of "
                 "range", Code.PROPERTY)  # fmt: skip
    OUR_ERROR = Rule("a fault of ours", Code.INTERNAL)

    @property
    def rule(self) -> Rule:
        """What comes of it."""
        return self.value


#: Keyword of a JSON schema -> which fault it is when a payload violates it; others are VALUE.
BY_KEYWORD: Mapping[str, Fault] = {
    "required": Fault.MISSING,
    "minItems": Fault.MISSING,
    "maxItems": Fault.MISSING,
    "type": Fault.TYPE,
    "additionalProperties": Fault.EXTRA,
}
