"""The application's own themes: one accent colour on quiet ground, dark and light."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="talea-dark",
    primary="#7fb4ca",
    secondary="#7fb4ca",
    accent="#7fb4ca",
    warning="#e6c384",
    error="#e46876",
    success="#98bb6c",
    foreground="#d5d8de",
    background="#14161b",
    surface="#14161b",
    panel="#1d2027",
    boost="#232731",
    dark=True,
    variables={
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#2b3646",
        "border": "#343a46",
        "border-blurred": "#2a2f39",
        "dim": "#858c9a",
        "past": "#e6c384",
        "violet": "#c099e6",
        "teal": "#6fd0b8",
    },
)

LIGHT = Theme(
    name="talea-light",
    primary="#1f6688",
    secondary="#1f6688",
    accent="#1f6688",
    warning="#8a5a00",
    error="#b3261e",
    success="#3d6b1f",
    foreground="#20242b",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#f0f0ec",
    boost="#e8e8e3",
    dark=False,
    variables={
        "block-cursor-foreground": "#000000",
        "block-cursor-background": "#d6e4ec",
        "border": "#c8c9c2",
        "border-blurred": "#dcdcd6",
        "dim": "#5d626a",
        "past": "#8a5a00",
        "violet": "#6b3fa0",
        "teal": "#00665c",
    },
)

THEMES = (DARK.name, LIGHT.name, "ansi-dark", "ansi-light")

VARIABLE_DEFAULTS = {
    "dim": "ansi_bright_black",
    "past": "ansi_yellow",
    "violet": "ansi_magenta",
    "teal": "ansi_cyan",
}
"""For themes that do not know our variables."""
