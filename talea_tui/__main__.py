"""`python -m talea_tui` and `talea-tui`: the command line, quiet from its first moment.

Until a command begins there is nothing to close, so ctrl-c simply ends the process; `cli` takes over from there.
"""

from __future__ import annotations

import signal
import sys


def main() -> int:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the shell wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
