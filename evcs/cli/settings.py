"""`evcs config show` and `evcs completion`: what is set, and by what; help for shells."""

from __future__ import annotations

import click

from evcs import config
from evcs.cli.common import CommandContext, command, table
from evcs.cli.terminal import Trusted
from evcs.config_file import shown

SHELLS = ("bash", "zsh", "fish")
PROGRAMS = ("evcs", "evcs-cp", "evcs-driver")


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs`."""
    _config(program)
    _completion(program)


def _config(program: click.Group) -> None:
    @program.group("config")
    def config_group() -> None:
        """Settings: what holds, and where it comes from."""

    @command(config_group, "show")
    def show(ctx: CommandContext) -> None:
        """Show every setting with its value and origin.

        Examples:
          evcs config show
        """
        origins = config.origins()
        values = {**ctx.settings._asdict(), "home": str(ctx.settings.home.path)}
        found = [
            {"setting": shown(name), "value": value, "origin": origins.get(name, "default")}
            for name, value in values.items()
        ]
        rows = [(one["setting"], f"{one['value']}", one["origin"]) for one in found]
        ctx.out.data(found, table(("SETTING", "VALUE", "FROM"), rows))


def _completion(program: click.Group) -> None:
    @command(program)
    @click.argument("shell", type=click.Choice(SHELLS))
    def completion(ctx: CommandContext, shell: str) -> None:
        """Print shell completion script.

        Examples:
          source <(evcs completion bash)
          evcs completion fish | source
        """
        from click.shell_completion import get_completion_class

        found = get_completion_class(shell)
        assert found is not None
        parts = []
        for name in PROGRAMS:
            # The text is a pure function of these names; the program itself isn't asked.
            one = found(program, {}, name, f"_{name.replace('-', '_')}_COMPLETE".upper())
            parts.append(one.source_template % one.source_vars())
        script = "\n".join(parts)
        ctx.out.data({"shell": shell, "script": script}, Trusted(script))
