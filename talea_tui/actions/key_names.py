"""What keys are called: Textual's names for them, and what people write. This knows nothing of the terminal."""

from __future__ import annotations

import unicodedata

CHARACTERS = {
    "exclamation_mark": "!",
    "quotation_mark": '"',
    "number_sign": "#",
    "dollar_sign": "$",
    "percent_sign": "%",
    "ampersand": "&",
    "apostrophe": "'",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "asterisk": "*",
    "plus": "+",
    "comma": ",",
    "minus": "-",
    "full_stop": ".",
    "slash": "/",
    "colon": ":",
    "semicolon": ";",
    "less_than_sign": "<",
    "equals_sign": "=",
    "greater_than_sign": ">",
    "question_mark": "?",
    "at": "@",
    "left_square_bracket": "[",
    "backslash": "\\",
    "right_square_bracket": "]",
    "circumflex_accent": "^",
    "underscore": "_",
    "grave_accent": "`",
    "left_curly_bracket": "{",
    "vertical_line": "|",
    "right_curly_bracket": "}",
    "tilde": "~",
}
NAMED = {
    "escape": "esc",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "pageup": "pgup",
    "pagedown": "pgdn",
    **{name: name for name in ("space", "enter", "tab", "home", "end", "insert", "delete", "backspace")},
    **{f"f{number}": f"f{number}" for number in range(1, 25)},
}
MODIFIERS = ("alt", "ctrl", "shift")

_NAMES = {written: name for name, written in CHARACTERS.items()}


def key_name(key: str) -> str:
    """A key as people write it: `?` for `question_mark`."""
    return CHARACTERS.get(key) or NAMED.get(key, key)


def key_called(text: str) -> str | None:
    """Textual's name of the key that is written as `?`, `question_mark` or `ctrl+x`; None where there is none."""
    *modifiers, key = text.split("+") if len(text) > 1 else [text]
    if len(key) == 1 and not key.isspace():
        key = _character(key)
    elif key not in NAMED and key not in CHARACTERS:
        return None
    if not key or not set(modifiers) <= set(MODIFIERS):
        return None
    if "shift" in modifiers and key not in NAMED:  # terminals send the character it makes
        return key.upper() if key.isalpha() and len(modifiers) == len(key) == 1 else None
    return "+".join([*(one for one in MODIFIERS if one in modifiers), key.lower() if modifiers else key])


def _character(character: str) -> str:
    """The name of a key by its one character; empty where it has none."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return _NAMES.get(character, name)
