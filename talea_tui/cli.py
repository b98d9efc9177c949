"""The command line: arguments, plain commands, exit codes.

Exit codes: 0 done, 1 refused (with a sentence on stderr), 2 wrong usage, 130 interrupted.
Modules are imported where they are needed, so that `--version` and every plain command start at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .paths import DIRECTORY_VARIABLE, ledger_directory

REFUSED = 1
INTERRUPTED = 130
PIPE_CLOSED = 141

KINDS = ("asset", "liability", "income", "expense", "equity", "clearing")

COMMANDS = {
    "import": (
        "import_journal",
        "post an hledger or ledger journal, or an export, to a book; again, only what is new",
    ),
    "export": ("export", "print a book as an hledger journal or as JSON lines"),
    "verify": ("verify", "re-read the whole log and compare it with the ledger"),
    "tail": ("tail", "print a book's events, with --follow as they come"),
    "stats": ("stats", "print figures about every book"),
    "paths": ("paths", "print where ledger, configuration and state are"),
    "keys": ("keys", "print every action of the application with its keys"),
}
"""Plain commands: the module of `talea_tui.commands` that runs each, and its line of help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; SystemExit for wrong usage, --help and --version."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in COMMANDS:
            code = _run_plain(words[0], words[1:])
        else:
            code = _run_application(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit; without this it would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _refuse(f"{error.strerror or error}{where}.")
    return code


def _run_plain(command: str, words: list[str]) -> int:
    from .commands import refusals

    arguments = _command_parser(command).parse_args(words)
    # Names and memos hold any character, whatever the locale says.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    module_name, _ = COMMANDS[command]
    with refusals.as_sentences() as refused:
        code: int = importlib.import_module(f".commands.{module_name}", __package__).run(arguments)
        return code
    return _refuse(refused.sentence)


def _run_application(words: list[str]) -> int:
    arguments = _application_parser().parse_args(words)
    # Textual draws on stderr and reads stdin; a driver named in the environment brings its own.
    if "TEXTUAL_DRIVER" not in os.environ and not all(
        stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)
    ):
        return _refuse("the application needs a terminal; for pipes use import, export, tail or stats.")
    from .app import TaleaApp
    from .paths import state_directory
    from .settings import Settings

    settings = Settings.load(state_directory() / "settings.json")
    app = TaleaApp(arguments.dir or ledger_directory(), settings=settings)
    app.run()
    return app.return_code or 0


def _refuse(sentence: str) -> int:
    print(f"talea-tui: {sentence}", file=sys.stderr)
    return REFUSED


def _application_parser() -> argparse.ArgumentParser:
    width = max(len(command) for command in COMMANDS)
    commands = "\n".join(f"  {command:{width}}  {line}" for command, (_, line) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="talea-tui",
        description="A double-entry ledger for the terminal.",
        usage="%(prog)s [DIR]\n       %(prog)s COMMAND …",
        epilog=f"commands (each has --help):\n{commands}\n\n"
        "To open a directory that is named like a command, write ./NAME.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "dir",
        metavar="DIR",
        nargs="?",
        type=_directory,
        help=f"the ledger to open or create; default: ${DIRECTORY_VARIABLE}, else the user's data directory",
    )
    parser.add_argument("--version", action="version", version=f"talea-tui {__version__}")
    return parser


def _command_parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"talea-tui {command}", description=_sentence(COMMANDS[command][1]))
    parser.add_argument(
        "--dir",
        metavar="DIR",
        type=_directory,
        default=ledger_directory(),
        help=f"the ledger; default: ${DIRECTORY_VARIABLE}, else the user's data directory",
    )
    if command == "import":
        _add_import_arguments(parser)
    elif command == "export":
        parser.add_argument("--book", metavar="NAME", required=True)
        parser.add_argument("--format", choices=("hledger", "json"), default="hledger")
    elif command == "verify":
        parser.add_argument("--book", metavar="NAME", help="only this book")
        parser.add_argument(
            "--against",
            metavar="SEQ:DIGEST",
            type=_head,
            help="a head noted earlier: prove that the book's history up to there is unchanged",
        )
    elif command == "tail":
        parser.add_argument("--book", metavar="NAME", required=True)
        parser.add_argument(
            "--from", dest="start", metavar="SEQ|TIME", help="where to begin; default: the last ten events"
        )
        parser.add_argument("--follow", action="store_true", help="go on with what is posted, until ctrl-c")
        parser.add_argument(
            "--filter", metavar="TEXT", default="", help="as in the app: text, account:, kind:, amount>"
        )
        _add_json(parser)
    elif command in ("stats", "paths"):
        _add_json(parser)
    return parser


def _add_import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="an hledger or ledger journal, or a .jsonl export"
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
        help=f"the kind of an account and those below it, as in 'Budget=equity'; one of {', '.join(KINDS)}",
    )
    parser.add_argument(
        "--precision",
        metavar="ASSET=DECIMALS",
        type=_precision,
        action="append",
        default=[],
        help="at least so many decimals for a new asset; default: what the journal shows and what is usual",
    )
    parser.add_argument(
        "--round", action="store_true", help="round amounts where a registered asset has too few decimals"
    )
    parser.add_argument(
        "--post-edited",
        action="store_true",
        help="post transactions that look like edited versions of imported ones, too",
    )
    parser.add_argument(
        "--progress", action="store_true", help="show progress on stderr when it is no terminal, too"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _directory(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a directory's name cannot be empty")
    return Path(text).expanduser()


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def _kind(text: str) -> tuple[str, str]:
    prefix, kind = _assignment(text)
    if kind not in KINDS:
        raise argparse.ArgumentTypeError(f"{kind!r} is no kind of account; choose from {', '.join(KINDS)}")
    return prefix, kind


def _precision(text: str) -> tuple[str, int]:
    asset, decimals = _assignment(text)
    if not decimals.isascii() or not decimals.isdigit() or int(decimals) > 30:
        raise argparse.ArgumentTypeError(f"{decimals!r} is no number of decimals from 0 to 30")
    return asset, int(decimals)


def _head(text: str) -> tuple[int, str]:
    seq, _, digest = text.partition(":")
    if not seq.isascii() or not seq.isdigit() or len(digest) != 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not SEQ:DIGEST as `verify` prints it")
    return int(seq), digest.lower()
