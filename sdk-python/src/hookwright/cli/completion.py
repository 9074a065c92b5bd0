"""`hookwright completion`: what a shell needs to complete the command's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes the words of this command.

    \b
    Examples:
      hookwright completion bash >> ~/.bashrc
      hookwright completion zsh >> ~/.zshrc
      hookwright completion fish > ~/.config/fish/completions/hookwright.fish
    """
    kind = get_completion_class(shell)
    if kind is None:  # the choices are those that click knows
        raise click.UsageError(f"click cannot complete for {shell}")
    program = context.find_root().command
    click.echo(kind(program, {}, "hookwright", "_HOOKWRIGHT_COMPLETE").source())
