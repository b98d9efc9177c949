"""What a terminal sends, read so that no byte of it ends the application and a paste stays a paste."""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator

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


class TerminalDriver(LinuxDriver):
    """Textual's driver, but that bytes which are not UTF-8 are `�` instead of the end of the application."""

    def run_input_thread(self) -> None:
        decode = getincrementaldecoder("utf-8")("replace").decode
        parser = InputParser(self._debug)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(TICK_SECONDS):
                    for message in parser.feed(decode(os.read(self.fileno, 4096))):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
