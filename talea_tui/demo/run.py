"""Runs the demo: in this terminal on a directory of its own, or for visitors of a browser."""

from __future__ import annotations

import shlex
import socket
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..config import Config
from ..settings import Settings
from .history import Marker

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for; `directory` None is a temporary one."""

    directory: Path | None
    seed: int
    rate: float
    tour: bool


def run(wish: Wish, config: Config, settings: Settings) -> int:
    """Show the demo until it is left; a temporary directory is removed then. Raises NotADemo."""
    from .app import DemoApp

    with ExitStack() as kept:
        directory = wish.directory
        if directory is None:
            place = tempfile.TemporaryDirectory(prefix="talea-demo-", ignore_cleanup_errors=True)
            directory = Path(kept.enter_context(place))
        else:
            Marker.read(directory)
        app = DemoApp(
            directory,
            seed=wish.seed,
            rate=wish.rate,
            tour=wish.tour,
            store_options=config.store_options(),
            config=config,
            settings=Settings(theme=settings.theme),
        )
        config.check_theme(app.available_themes)
        app.run()
    if wish.directory is not None:
        print(
            f"The demo is kept in {wish.directory}; `talea-tui demo --dir {wish.directory}` goes on with it."
        )
    return app.return_code or 0


def serve(wish: Wish, port: int) -> int:
    """Serve the demo on this machine alone, a throw-away ledger for each visitor, until ctrl-c. Raises OSError."""
    from textual_serve.server import Server

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise OSError(
                None, f"port {port} cannot be had ({error.strerror}); name another with --port"
            ) from error

    words = [sys.executable, "-m", "talea_tui", "demo", "--seed", str(wish.seed), "--rate", str(wish.rate)]
    if wish.tour:
        words.append("--tour")
    print(f"The demo is at http://{HOST}:{port}, for this machine alone; ctrl-c ends it.", flush=True)
    Server(shlex.join(words), host=HOST, port=port, title="talea demo").serve()
    return 0
