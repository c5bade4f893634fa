"""What all commands have in common: the options that every one takes, help that ends
with an example, and commands that are imported only when they are called.

A command is declared with `command` (or `group`), and its docstring ends with a block::

    Example:

        lmkit perplexity model.lm text.txt

which ``--help`` prints last, after the options. Indented paragraphs keep their lines.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
import click.shell_completion

from lmkit.cli.console import Console
from lmkit.cli.headings import COMMON, UNBROKEN, write_options
from lmkit.cli.paths import Files, check_files
from lmkit.errors import ExitCode, UsageError

EXAMPLE = "Example:"


def _console_option(
    *names: str, attribute: str, to: object = None, **settings: Any
) -> click.Option:
    """An option that sets an attribute of the console, ``to`` a fixed value or the one given,
    wherever on the line it stands."""

    def remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        console = context.find_object(Console)
        if console is not None and value not in (None, False):
            setattr(console, attribute, value if to is None else to)

    option = click.Option(
        names, expose_value=False, is_eager=True, callback=remember, show_default=False, **settings
    )
    option.heading = COMMON  # type: ignore[attr-defined]
    return option


def common_options() -> list[click.Option]:
    """The options that every command takes."""
    return [
        _console_option(
            "-q",
            "--quiet",
            is_flag=True,
            attribute="quiet",
            help="No remarks and no progress on standard error; errors only.",
        ),
        _console_option(
            "--no-progress",
            is_flag=True,
            attribute="progress",
            to=False,
            help="No progress bars.",
        ),
        _console_option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            attribute="color",
            help="Colours: auto is on a terminal, unless NO_COLOR is set.",
        ),
        _console_option(
            "--debug",
            is_flag=True,
            attribute="debug",
            help="Show the traceback of an error (also: LMKIT_DEBUG=1).",
        ),
    ]


class _Shared(click.Command):
    """Splits the example off the docstring and adds the common options."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        text, found, example = inspect.cleandoc(self.help or "").partition(f"\n{EXAMPLE}\n")
        self.help = _keep_indented(text)
        if found and not self.epilog:
            self.epilog = f"\b\n{EXAMPLE}\n" + _indented(inspect.cleandoc("\n" + example))
        self.params = [*self.params, *common_options()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            args = list(_with_values(self.params, args))
            self._refuse_repetitions(ctx, args)
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # The parser does not always say which command it was; the hint needs it.
            error.ctx = error.ctx or ctx
            raise

    def _refuse_repetitions(self, ctx: click.Context, args: list[str]) -> None:
        """Raises `UsageError` for an option that takes one value and is given twice: click would
        take the last one and say nothing."""
        if ctx.resilient_parsing:
            return
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        for option in order:
            single = isinstance(option, click.Option) and not (
                option.multiple or option.is_flag or option.count
            )
            if single and order.count(option) > 1:
                name = max(option.opts, key=len)
                raise UsageError(
                    f"{name} is given {order.count(option)} times and can be given once",
                    f"leaving out all but one {name}",
                )

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def get_help(self, ctx: click.Context) -> str:
        return super().get_help(ctx).replace(UNBROKEN, "-")

    @property
    def example(self) -> list[str]:
        """The lines of the example."""
        _, _, block = (self.epilog or "").partition(f"{EXAMPLE}\n")
        return [line.strip() for line in block.splitlines() if line.strip()]


class OptionalValue(click.Option):
    """An option that is a flag when no value follows. Only one of ``known`` words is taken for
    its value, so that no file name is; click itself takes any word."""

    def __init__(self, *args: Any, known: Sequence[str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.known = known


FLAG = "yes"
"""The value of an `OptionalValue` that stands alone."""


def _with_values(params: Sequence[click.Parameter], args: Sequence[str]) -> Iterator[str]:
    """``args``, each `OptionalValue` among them with its value in the same word."""
    known = {
        name: param.known
        for param in params
        if isinstance(param, OptionalValue)
        for name in param.opts
    }
    words = iter(args)
    for word in words:
        if word == "--":
            yield word
            break
        while word in known:
            following = next(words, None)
            if following in known[word]:
                yield f"{word}={following}"
                following = next(words, None)
            else:
                yield f"{word}={FLAG}"
            if following is None:
                return
            word = following
        yield word
        if word == "--":
            break
    yield from words


def _keep_indented(text: str) -> str:
    """Mark indented paragraphs so that click does not fill their lines."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(f"\b\n{p}" if p.startswith("  ") else p for p in paragraphs)


def _indented(block: str) -> str:
    # An empty line would end click's verbatim block.
    return "\n".join(f"  {line}" for line in block.splitlines() if line.strip())


def _console_of(context: click.Context) -> Console:
    return context.find_object(Console) or Console.of_process()


def _show_help(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        _console_of(context).write_line(context.get_help())
        context.exit()


class Command(_Shared):
    """One lmkit command. It begins only when it is sure that it writes over nothing that it
    reads; ``files`` says what the types of its parameters do not say of that."""

    def __init__(self, *args: Any, files: Files | None = None, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.files = files

    def invoke(self, ctx: click.Context) -> Any:
        check_files(ctx, self.files)
        return super().invoke(ctx)


class Group(_Shared, click.Group):
    """A command with commands of its own."""

    command_class = Command

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **{**attributes, "no_args_is_help": False})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            _console_of(ctx).tell(f"{ctx.get_help()}\n")
            ctx.exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            message = f"No such command {name!r}"
            close = get_close_matches(name, self.list_commands(ctx), n=3)
            if close:
                message += f". Did you mean {' or '.join(close)}?"
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """Commands from a table, each imported when it is called.

    ``sections`` maps a heading to ``{name: ("module:attribute", one line of help)}``.
    """

    def __init__(
        self, *args: Any, sections: Mapping[str, Mapping[str, tuple[str, str]]], **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.sections = sections
        self.table = {name: row for rows in sections.values() for name, row in rows.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        commands = [
            click.shell_completion.CompletionItem(name, help=text)
            for name, (_, text) in self.table.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, self.table))
        for heading, rows in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(name.ljust(longest), text) for name, (_, text) in rows.items()]
                )


def command(name: str | None = None, **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Declare a command; its docstring ends with an example. ``attributes`` are those of
    `Command`."""
    return click.command(name, cls=Command, **attributes)


def group(name: str | None = None, **attributes: Any) -> Callable[[Callable[..., Any]], Group]:
    """Declare a command with commands of its own."""
    return click.group(name, cls=Group, **attributes)
