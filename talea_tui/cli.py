"""The command line: arguments, plain commands, exit codes.

Exit codes: 0 done, 1 refused (with a sentence on stderr), 2 wrong usage, 130 interrupted.
Modules are imported where they are needed, so that `--version` and every plain command start at once.
"""

from __future__ import annotations

import argparse
import errno
import gc
import importlib
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from . import __version__
from .paths import DIRECTORY_VARIABLE, NoPath, typed_path

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from .config import Config
    from .settings import Settings

REFUSED, WRONG_USAGE = 1, 2
INTERRUPTED = 130
PIPE_CLOSED = 141
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

SHELLS = ("bash", "zsh", "fish")

DEMO_HELP = "a throw-away ledger: four books, a year of history, live traffic"


class _Parser(argparse.ArgumentParser):
    """argparse's, but that help which cannot be written raises: its own would say nothing and exit 0."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if file is not None and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; SystemExit for wrong usage, --help and --version."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["help"]:  # who asks for it so wants no ledger of that name
        words = [*words[1:2], "--help"]
    _replace_closed_streams()
    _speak_utf8()
    try:
        try:
            if words and words[0] in COMMANDS:
                code = _run_plain(words[0], words[1:])
            elif words and words[0] == "demo":
                code = _run_demo(words[1:])
            else:
                code = _run_application(words)
        finally:  # --help and --version end here too
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _leave_output()
        return PIPE_CLOSED
    except OSError as error:
        said = error.strerror or str(error)
        if error.filename is None:
            _leave_output()
        if error.filename is None and error.errno in NO_ROOM:  # the store tells of its own files itself
            return _refuse(f"the output is not whole, it could not be written: {said}.")
        return _refuse(f"{said} ({error.filename})." if error.filename else f"{said}.")
    finally:
        gc.freeze()  # a ledger in memory is large: the process leaves it behind instead of taking it apart
    return code


def _run_plain(command: str, words: list[str]) -> int:
    from .commands import refusals

    arguments = command_parser(command).parse_args(_with_times_joined(words))
    if command == "completion":
        arguments.parsers = {"demo": demo_parser()} | {name: command_parser(name) for name in COMMANDS}
    with refusals.as_sentences() as refused:
        if getattr(arguments, "dir", command) is None and command != "paths":
            arguments.dir = _config().ledger_directory()
        module = importlib.import_module(f".commands.{COMMANDS[command].module}", __package__)
        _heed_interrupts()
        code: int = module.run(arguments)
        return code
    return _refuse(refused.sentence)


def _run_application(words: list[str]) -> int:
    parser = _application_parser()
    arguments, unknown = parser.parse_known_args(words)
    word = next((word for word in words if not word.startswith("-")), "")
    meant = _nearest_command(word)
    if meant is not None:
        return _refuse(
            f"there is no command {word!r}; the nearest is {meant!r}. A ledger there is ./{word}.",
            WRONG_USAGE,
        )
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.dir is not None and arguments.dir.is_file():
        return _refuse(
            f"{arguments.dir} is a file, and a ledger is a directory; "
            f"a journal is brought into one with: talea-tui import {shlex.quote(str(arguments.dir))} --book NAME"
        )
    if not _has_terminal():
        return _refuse("the application needs a terminal; for pipes use import, export, tail or stats.")
    from .app import TaleaApp
    from .config import ConfigError

    try:
        config = _config()
        config.store_options()
        directory = arguments.dir or config.ledger_directory()
        app = TaleaApp(directory, settings=_settings(), config=config, follow=arguments.follow)
        config.check_theme(app.available_themes)
    except ConfigError as error:
        return _refuse(str(error))
    app.run()
    return app.return_code or 0


def _run_demo(words: list[str]) -> int:
    arguments = demo_parser().parse_args(words)
    if not arguments.serve and not _has_terminal():
        return _refuse("the demo needs a terminal, or --serve to be seen in a browser.")
    from .config import ConfigError
    from .demo import run
    from .demo.history import NotADemo

    if arguments.serve:
        _heed_interrupts()
    wish = run.Wish(arguments.dir, arguments.seed, arguments.rate, arguments.tour)
    try:
        if not arguments.serve:
            return run.run(wish, _config(), _settings())
        if arguments.dir is not None:
            return _refuse("each visitor of a served demo gets a ledger of their own; leave --dir out.")
        return run.serve(wish, arguments.port)
    except (ConfigError, NotADemo) as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("textual_serve", "aiohttp"):
            raise
        return _refuse(
            f"--serve needs textual-serve; install it with: {sys.executable} -m pip install textual-serve"
        )


def _replace_closed_streams() -> None:
    """Who closed one wants nothing from it; its number must not go to a file of the ledger."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # the lowest number that is free is the closed one's
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _leave_output() -> None:
    """Python flushes stdout once more at exit; what it cannot write then, it would complain of in its own words."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _speak_utf8() -> None:
    """Names, memos and our own sentences hold any character, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def _with_times_joined(words: list[str]) -> list[str]:
    """`--from -2h` as `--from=-2h`: argparse would take the time for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--from" and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _heed_interrupts() -> None:
    """From now on ctrl-c is a KeyboardInterrupt, where `__main__` let it end the process at once.

    The application takes it over itself, once it has the terminal.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _nearest_command(word: str) -> str | None:
    """The command that a word was meant for, if it is nearly one and no directory."""
    import difflib

    if not word.isalpha() or Path(word).exists():
        return None
    return next(iter(difflib.get_close_matches(word, ("demo", *COMMANDS), 1, 0.75)), None)


def _has_terminal() -> bool:
    """Textual draws on stderr and reads stdin; a driver named in the environment brings its own."""
    return "TEXTUAL_DRIVER" in os.environ or all(
        stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)
    )


def _config() -> Config:
    from .config import Config

    return Config.load()


def _settings() -> Settings:
    from .paths import state_directory
    from .settings import Settings

    return Settings.load(state_directory() / "settings.json")


def _refuse(sentence: str, code: int = REFUSED) -> int:
    print(f"talea-tui: {sentence}", file=sys.stderr)
    return code


def _application_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = {"demo": DEMO_HELP} | {name: command.help for name, command in COMMANDS.items()}
    commands = "\n".join(f"  {command:{width}}  {line}" for command, line in lines.items())
    parser = _Parser(
        prog="talea-tui",
        description="A double-entry ledger for the terminal.",
        usage="%(prog)s [--follow] [DIR]\n       %(prog)s COMMAND …",
        epilog=f"commands (each has --help):\n{commands}\n\n"
        "To open a directory that is named like a command, write ./NAME.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "dir",
        metavar="DIR",
        nargs="?",
        type=_path,
        help=f"the ledger to open or create; default: ${DIRECTORY_VARIABLE}, else the configured one",
    )
    parser.add_argument(
        "--follow", action="store_true", help="show it read only, live, while another process writes it"
    )
    parser.add_argument("--version", action="version", version=f"talea-tui {__version__}")
    return parser


def demo_parser() -> argparse.ArgumentParser:
    """The options of `talea-tui demo`."""
    parser = _Parser(prog="talea-tui demo", description=_sentence(DEMO_HELP))
    parser.add_argument(
        "--dir",
        metavar="DIR",
        type=_path,
        help="keep the demo there, or go on with the one that is there; default: removed at the end",
    )
    parser.add_argument(
        "--rate", metavar="N", type=_rate, default=2.0, help="entries a second, 0 to 10,000; default: 2"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=7, help="another number makes another year; default: 7"
    )
    parser.add_argument("--tour", action="store_true", help="walk through the screens; any key takes over")
    parser.add_argument(
        "--serve",
        action="store_true",
        help="serve it to browsers on this machine, a ledger for each visitor (needs the extra 'serve')",
    )
    parser.add_argument("--port", metavar="N", type=_port, default=8000, help="for --serve; default: 8000")
    return parser


def command_parser(name: str) -> argparse.ArgumentParser:
    """The options of a plain command."""
    command = COMMANDS[name]
    parser = _Parser(prog=f"talea-tui {name}", description=_sentence(command.help))
    if command.of_ledger:
        parser.add_argument(
            "--dir",
            metavar="DIR",
            type=_path,
            help=f"the ledger; default: ${DIRECTORY_VARIABLE}, else the configured one (see paths)",
        )
    command.add_arguments(parser)
    return parser


def _add_import_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = ", ".join(_kinds())
    parser.add_argument(
        "file", metavar="FILE", type=_path, help="an hledger or ledger journal, or a .jsonl export"
    )
    parser.add_argument("--book", metavar="NAME", required=True, help="the book to post to, new or not")
    parser.add_argument(
        "--with",
        dest="program",
        choices=("hledger", "ledger", "json"),
        help="what reads the file; default: json for .jsonl, else hledger if it is installed, else ledger",
    )
    parser.add_argument(
        "--asset",
        metavar="COMMODITY=ASSET",
        type=_assignment,
        action="append",
        default=[],
        help="the asset id of a commodity, as in '$=USD'; default: the commodity's own text, 'unit' for none",
    )
    parser.add_argument(
        "--kind",
        metavar="PREFIX=KIND",
        type=_kind,
        action="append",
        default=[],
        help=f"the kind of an account and those below it, as in 'Budget=equity'; one of {kinds}",
    )
    parser.add_argument(
        "--precision",
        metavar="ASSET=DECIMALS",
        type=_precision,
        action="append",
        default=[],
        help="at least so many decimals for a new asset, with --round just so many; "
        "default: what the journal shows and what is usual",
    )
    parser.add_argument(
        "--round", action="store_true", help="round amounts where an asset has too few decimals"
    )
    parser.add_argument(
        "--post-edited",
        action="store_true",
        help="post transactions that look like edited versions of imported ones, too",
    )
    parser.add_argument(
        "--progress", action="store_true", help="show progress on stderr when it is no terminal, too"
    )


def _add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--book", metavar="NAME", required=True)
    parser.add_argument("--format", choices=("hledger", "json"), default="hledger")


def _add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--book", metavar="NAME", help="only this book")
    parser.add_argument(
        "--against",
        metavar="SEQ:DIGEST",
        type=_head,
        help="a head of that or the only book, noted earlier: prove that history up to there is unchanged",
    )


def _add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", type=_path, help="a directory, new or empty")


def _add_tail_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--book", metavar="NAME", required=True)
    parser.add_argument(
        "--from", dest="start", metavar="SEQ|TIME", help="where to begin; default: the last ten events"
    )
    parser.add_argument("--follow", action="store_true", help="go on with what is posted, until ctrl-c")
    parser.add_argument(
        "--filter", metavar="TEXT", default="", help="as in the app: text, account:, kind:, amount>"
    )
    _add_json(parser)


def _add_keys_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ids", action="store_true", help="print the ids that the configuration remaps by")


def _add_completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


class _Command(NamedTuple):
    """A plain command: the module of `talea_tui.commands` that runs it, its line of help and its arguments."""

    module: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    of_ledger: bool = True
    """Whether it is about one ledger, which `--dir` names."""


COMMANDS = {
    "import": _Command(
        "import_journal",
        "post a journal of hledger or ledger, or an export, to a book; repeated, only what is new",
        _add_import_arguments,
    ),
    "export": _Command(
        "export", "print a book as an hledger journal or as JSON lines", _add_export_arguments
    ),
    "verify": _Command(
        "verify",
        "re-read the whole log of a ledger not in use and compare it with the ledger",
        _add_verify_arguments,
    ),
    "backup": _Command("backup", "copy the ledger, in use or not, to a new directory", _add_backup_arguments),
    "tail": _Command("tail", "print a book's events, with --follow as they come", _add_tail_arguments),
    "stats": _Command("stats", "print figures about every book", _add_json),
    "paths": _Command("paths", "print where ledger, configuration and state are", _add_json),
    "keys": _Command(
        "keys",
        "print every action of the application with its keys",
        _add_keys_arguments,
        of_ledger=False,
    ),
    "completion": _Command(
        "completion",
        "print a script that completes these commands in bash, zsh or fish",
        _add_completion_arguments,
        of_ledger=False,
    ),
}
"""Plain commands, in the order in which help tells them."""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _path(text: str) -> Path:
    try:
        return typed_path(text)
    except NoPath as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def _kinds() -> list[str]:
    from store import AccountKind

    return [kind.value for kind in AccountKind]


def _kind(text: str) -> tuple[str, str]:
    prefix, kind = _assignment(text)
    if kind not in _kinds():
        raise argparse.ArgumentTypeError(f"{kind!r} is no kind of account; choose from {', '.join(_kinds())}")
    return prefix, kind


def _precision(text: str) -> tuple[str, int]:
    from .parsing import ParseError, parse_precision

    asset, decimals = _assignment(text)
    try:
        return asset, parse_precision(decimals)
    except ParseError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _rate(text: str) -> float:
    try:
        rate = float(text.replace(",", ""))
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate from 0 to 10,000")
    return rate


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def _head(text: str) -> tuple[int, str]:
    seq, _, digest = text.partition(":")
    if not seq.isascii() or not seq.isdigit() or not re.fullmatch("[0-9a-fA-F]{64}", digest):
        raise argparse.ArgumentTypeError(f"{text!r} is not SEQ:DIGEST as `verify` prints it")
    return int(seq), digest.lower()
