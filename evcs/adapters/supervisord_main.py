"""supervisord itself, with our extension, and reading its files at the same cost for each of them.

supervisor 4.3 goes once more through all that it has read so far after every included file:
half a second at 300 CPs and six seconds at 1,000, at each start.
"""

from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path
from typing import Any

from supervisor import supervisord
from supervisor.options import ServerOptions, UnhosedConfigParser

from evcs.adapters.supervisord_extension import Extension

_read, _expand_here = UnhosedConfigParser.read, UnhosedConfigParser.expand_here


def read(parser: UnhosedConfigParser, filename: str) -> list[str]:
    """Read an included file alone and take its sections over.

    Where they meet what is there already, supervisor does it in its own way.
    """
    one = UnhosedConfigParser()
    found = RawConfigParser.read(one, [filename])
    sections = one.sections()
    if one.defaults() or any(parser.has_section(section) for section in sections):
        return list(_read(parser, filename))
    one.expand_here(str(Path(filename).resolve().parent))
    for section in sections:
        parser.add_section(section)
        for option, value in one.items(section):
            parser.set(section, option, value)
        parser.section_to_file[section] = filename
    parser.is_expanded = True
    return list(found)


def expand_here(parser: UnhosedConfigParser, here: str) -> None:
    """Spell %(here)s out, unless that was just done."""
    if getattr(parser, "is_expanded", False):
        parser.is_expanded = False
    else:
        _expand_here(parser, here)


class Options(ServerOptions):
    """supervisor's settings, and the extension among its RPC interfaces.

    The file could name it; but then no other supervisord would read that file.
    """

    def read_config(self, fp: Any) -> Any:
        section = super().read_config(fp)
        section.rpcinterface_factories.append(("evcs", Extension, {}))
        return section


def main() -> None:
    """Be supervisord."""
    supervisord.ServerOptions = Options
    UnhosedConfigParser.read, UnhosedConfigParser.expand_here = read, expand_here
    supervisord.main()


if __name__ == "__main__":
    main()
