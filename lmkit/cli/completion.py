"""``lmkit completion``: the script that teaches a shell to complete lmkit's command lines."""

from __future__ import annotations

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
@pass_console
def completion(console: Console, shell: str) -> None:
    """Print the shell's completion script.

    SHELL is bash, zsh or fish. Put one line into the file that your shell reads
    when it starts:

      ~/.bashrc (bash 4.4 or later)  eval "$(lmkit completion bash)"
      ~/.zshrc                       eval "$(lmkit completion zsh)"
      ~/.config/fish/config.fish     lmkit completion fish | source

    Example:

        lmkit completion bash
    """
    from click.shell_completion import get_completion_class

    from lmkit.cli.main import COMPLETION_VARIABLE, cli

    kind = get_completion_class(shell)
    assert kind is not None, shell
    console.write_line(kind(cli, {}, "lmkit", COMPLETION_VARIABLE).source())
