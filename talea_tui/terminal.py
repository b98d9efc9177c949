"""What a terminal sends, read so that no byte of it ends the application and a paste stays a paste."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key, Paste
from textual.keys import Keys
from textual.message import Message

TICK_SECONDS = 0.1


class InputParser(XTermParser):
    """Textual's, but that nothing within a paste is a key: an escape character there is text as any other."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._before = ""
        self._pasted: str | None = None

    def feed(self, data: str) -> Iterable[Message]:
        while data:
            if self._pasted is None:
                keys, data = self._keys_before_paste(data)
                yield from super().feed(keys)
            else:
                self._pasted += data
                text, end, data = self._pasted.partition(BRACKETED_PASTE_END)
                if not end:
                    return
                self._pasted = None
                yield from self._paste(text)

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Key]:
        """Nothing where a key is sent as a number that is no character's, or a surrogate's."""
        try:
            keys = list(super()._sequence_to_key_events(sequence, alt))
            "".join(key.character or "" for key in keys).encode()
        except (ValueError, OverflowError):
            return [Key(Keys.Ignore, sequence)]
        return keys

    def parse_mouse_code(self, code: str) -> Message | None:
        try:
            return super().parse_mouse_code(code)
        except ZeroDivisionError:  # it counts in pixels, and the terminal said that it has none
            return None

    def _keys_before_paste(self, data: str) -> tuple[str, str]:
        """What comes before pasted text, its beginning mark included, and what comes after that mark.

        A mark may come in pieces.
        """
        known = len(self._before)
        stream = self._before + data
        at = stream.find(BRACKETED_PASTE_START)
        if at < 0:
            self._before = stream[1 - len(BRACKETED_PASTE_START) :]
            return data, ""
        self._before, self._pasted = "", ""
        end = at + len(BRACKETED_PASTE_START)
        return stream[known:end], stream[end:]

    def _paste(self, text: str) -> Iterator[Message]:
        for message in super().feed(BRACKETED_PASTE_END):
            if not isinstance(message, Paste):  # Textual's own would be empty
                yield message
        yield Paste(text.replace("\x00", ""))


class Output:
    """A terminal to write to; what it does not take is dropped, for once it has gone away nobody would see it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.fileno = file.fileno

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            self._drop(error)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Python flushes once more at exit, and what a lost terminal does not take then changes the exit code."""
        if error.errno == errno.EIO:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._file.fileno())
            os.close(nothing)


class TerminalDriver(LinuxDriver):
    """Textual's driver, but that a terminal may go away, be taken by a shell for a while, and send any bytes.

    Bytes that are not UTF-8 are `�`. When the terminal has gone the application leaves.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Textual's thread for output would end at an error, and its full queue then block the loop for ever.
        self._file = cast(Any, Output(cast(TextIO, sys.__stderr__)))
        # Between two steps of the loop, unlike Textual's: one that interrupts a write waits for itself for ever.
        self._loop.add_signal_handler(signal.SIGTSTP, self._sigtstp_application)
        self._loop.add_signal_handler(signal.SIGCONT, self._sigcont_application)

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again and draw it all; whoever had it meanwhile left it in whatever state.

        The threads may be there still: nobody asks before SIGSTOP, and a hang-up sends SIGCONT without any stop.
        """
        if self._app.return_code is not None:  # leaving: what starts now would not be stopped
            return
        if self._is_writing:
            self.suspend_application_mode()
        self.resume_application_mode()
        self._app.refresh(layout=True)

    @property
    def _is_writing(self) -> bool:
        return self._writer_thread is not None and self._writer_thread.is_alive()

    def write(self, data: str) -> None:
        """Nothing takes what is written between giving the terminal back and having it again."""
        if self._is_writing:
            super().write(data)

    def run_input_thread(self) -> None:
        decode = getincrementaldecoder("utf-8")("replace").decode
        parser = InputParser(self._debug)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(TICK_SECONDS):
                    data = self._read()
                    if not data:
                        self._loop.call_soon_threadsafe(self._app.exit, 0)
                        return
                    for message in parser.feed(decode(data)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def _read(self) -> bytes:
        """Empty once the terminal has gone away: it is then at its end, or for a moment in error."""
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""
