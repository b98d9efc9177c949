"""`talea-tui completion SHELL`: a script that completes commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

BASH = """\
# talea-tui: `eval "$(talea-tui completion bash)"` in ~/.bashrc
_talea_tui() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words="" files=-f name
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}" files=-d
        case "$word" in -*) words="{options_of_all}" ;; esac
    else
        case "${{COMP_WORDS[1]}} $before" in
{choices}
        esac
        case "$files $word" in "-f -"*) case "${{COMP_WORDS[1]}}" in
{options}
        esac ;; esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ -z "$files" ] || while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen $files -- "$word")
}}
complete -o filenames -F _talea_tui talea-tui
"""
ZSH = """\
# talea-tui: `eval "$(talea-tui completion zsh)"` in ~/.zshrc
autoload -Uz bashcompinit && bashcompinit
"""


def run(arguments: argparse.Namespace) -> int:
    """`arguments.parsers` has the parser of every command."""
    parsers: Mapping[str, argparse.ArgumentParser] = arguments.parsers
    if arguments.shell == "fish":
        print(_fish(parsers))
    else:
        print((ZSH if arguments.shell == "zsh" else "") + _bash(parsers), end="")
    return 0


def _bash(parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    choices, options = [], []
    for name, parser in parsers.items():
        for action in parser._actions:
            if action.choices:
                said = " ".join(str(choice) for choice in action.choices)
                before = action.option_strings[-1] if action.option_strings else name
                choices.append(f'            "{name} {before}") words="{said}" files="" ;;')
        words = " ".join(option for action in parser._actions for option in action.option_strings)
        options.append(f'            {name}) words="{words}" ;;')
    return BASH.format(
        commands=" ".join(parsers),
        options_of_all="--follow --help --version",
        choices="\n".join(choices),
        options="\n".join(options),
    )


def _fish(parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    lines = ["# talea-tui: `talea-tui completion fish | source` in ~/.config/fish/config.fish"]
    for name, parser in parsers.items():
        told = (parser.description or name).replace("'", "\\'")
        lines.append(f"complete -c talea-tui -n __fish_use_subcommand -a {name} -d '{told}'")
        for action in parser._actions:
            seen = f"complete -c talea-tui -n '__fish_seen_subcommand_from {name}'"
            said = f" -xa '{' '.join(str(choice) for choice in action.choices)}'" if action.choices else ""
            options = [option[2:] for option in action.option_strings if option.startswith("--")]
            lines += [f"{seen} -l {option}{said}" for option in options]
            if not action.option_strings and said:
                lines.append(f"{seen}{said}")
    return "\n".join(lines)
