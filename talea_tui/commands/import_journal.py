"""`talea-tui import`: a journal, or an export of another ledger, into a book."""

from __future__ import annotations

import argparse
import asyncio
import sys

from store import AccountKind, Commodity, Fiat

from ..formatting import plural, printable
from ..interop.directives import not_printed
from ..interop.importing import ImportReport, import_journal
from ..interop.journal import Journal
from ..interop.json_lines import Events, post_events, read_json_lines
from ..interop.mapping import Rules
from ..interop.programs import read_journal
from .opening import opened, refuse_damaged
from .refusals import Refused
from .terminal import ProgressLine, some

_FILES_TOLD = 3


def run(arguments: argparse.Namespace) -> int:
    if arguments.program == "json" or (arguments.program is None and arguments.file.suffix == ".jsonl"):
        return _run_json_lines(arguments)
    rules = Rules(
        assets=dict(arguments.asset),
        kinds={prefix: AccountKind(kind) for prefix, kind in arguments.kind},
        precisions=dict(arguments.precision),
        round=arguments.round,
    )
    with ProgressLine(arguments.progress) as progress:
        progress(f"reading {arguments.file}", 0, 0)
        journal = read_journal(arguments.file, arguments.program)
        report = asyncio.run(_import(arguments, journal, rules, progress))
    lines = _summary(report, arguments, f"read by {journal.program}")
    print("\n".join([*lines, *_mapped(report), *_dropped(report, journal)]))
    return _trouble(report)


def _run_json_lines(arguments: argparse.Namespace) -> int:
    if any((arguments.asset, arguments.kind, arguments.precision, arguments.round, arguments.post_edited)):
        raise Refused(
            "An export says itself what its assets and accounts are; leave out --asset, --kind, --precision, "
            "--round and --post-edited, which are for journals."
        )
    with ProgressLine(arguments.progress) as progress:
        events = read_json_lines(arguments.file, arguments.book)
        report = asyncio.run(_post(arguments, events, progress))
    print("\n".join(_summary(report, arguments, "events as JSON lines")))
    return _trouble(report)


async def _post(arguments: argparse.Namespace, events: Events, progress: ProgressLine) -> ImportReport:
    async with opened(arguments.dir, progress, create=True) as store:
        await refuse_damaged(store, arguments.book)
        return await post_events(store, events, progress)


async def _import(
    arguments: argparse.Namespace, journal: Journal, rules: Rules, progress: ProgressLine
) -> ImportReport:
    async with opened(arguments.dir, progress, create=True) as store:
        await refuse_damaged(store, arguments.book)
        return await import_journal(
            store, journal, arguments.book, rules, post_edited=arguments.post_edited, progress=progress
        )


def _summary(report: ImportReport, arguments: argparse.Namespace, how: str) -> list[str]:
    lines = [
        f"{printable(arguments.file.name)} → book {report.book!r} of {arguments.dir} ({how})",
        f"  {plural(report.posted, 'transaction')} posted, {report.already:,} "
        f"{'was' if report.already == 1 else 'were'} there already",
    ]
    if report.elsewhere:
        files = [*list(report.elsewhere)[:_FILES_TOLD], *["…"] * (len(report.elsewhere) > _FILES_TOLD)]
        other = "another file" if len(files) == 1 else "other files"
        lines.append(
            f"  of these, {report.elsewhere.total():,} came from {other} ({printable(', '.join(files))}): "
            "equal entries of two files are taken for one"
        )
    for asset in report.new_assets:
        kind = "fiat" if isinstance(asset.asset_class, Fiat) else "crypto"
        kind = "commodity" if isinstance(asset.asset_class, Commodity) else kind
        lines.append(f"  asset {printable(asset.id)}: {kind}, {plural(asset.precision, 'decimal')}")
        if asset.id in report.needing:
            lines.append(f"    for ever, needed by {printable(report.needing[asset.id])}")
    if report.new_accounts:
        kinds = [definition.kind.value for definition in report.new_accounts]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        lines.append(f"  {plural(len(kinds), 'account')} opened: {counted}")
    return lines


def _mapped(report: ImportReport) -> list[str]:
    lines = []
    if report.moved:
        lines.append("  a further commodity of an account has a path of its own:")
        moved = [f"    {account} in {asset} → {path}" for account, asset, path in report.moved]
        lines += some([printable(line) for line in moved])
    if report.unknown_kinds:
        lines.append(
            "  opened as clearing, since the name tells no kind (--kind PREFIX=asset says it, in a new book):"
        )
        lines += some([printable(f"    {account}") for account in report.unknown_kinds])
    if report.kept_kinds:
        lines.append("  already open, so the kind stays what it is:")
        lines += some([printable(f"    {account}") for account in report.kept_kinds])
    if report.with_residual:
        lines.append(
            f"  {plural(report.with_residual, 'transaction')} did not balance in each commodity (costs, "
            "conversions, virtual postings): the rest stands on equity:conversion:…"
        )
    if report.virtual:
        lines.append(f"  {plural(report.virtual, 'virtual posting')} posted like any other")
    if report.dated_postings:
        dated = plural(report.dated_postings, "posting")
        lines.append(f"  {dated} with a date of its own: posted at the transaction's date")
    if report.rounded:
        difference = ", the difference stands on equity:conversion:…" if report.rounded_apart else ""
        lines.append(f"  {plural(report.rounded, 'amount')} rounded to the decimals of the asset{difference}")
    return lines


def _dropped(report: ImportReport, journal: Journal) -> list[str]:
    dropped = [
        plural(count, noun)
        for count, noun in (
            (report.zero_postings, "zero posting"),
            (report.empty, "empty transaction"),
            (report.assertions, "balance assertion"),
        )
        if count
    ]
    dropped += (plural(count, noun) for noun, count in not_printed(journal.files))
    return [f"  not carried over: {', '.join(dropped)}"] if dropped else []


def _trouble(report: ImportReport) -> int:
    """Tells on stderr what the user has to look at; the exit code."""
    for items, one, several in (
        (
            report.edited,
            "has another comment, status or tags than when it was imported; the book keeps the first:",
            "have another comment, status or tags than when they were imported; the book keeps the first:",
        ),
        (
            report.held,
            "looks like an edited version of one that the book has, and was not posted; correct the earlier one in "
            "the app to the same, or reverse it there, then import with --post-edited (that alone if both are meant "
            "to be there):",
            "look like edited versions of some that the book has, and were not posted; correct the earlier ones in "
            "the app to the same, or reverse them there, then import with --post-edited (that alone if all are meant "
            "to be there):",
        ),
        (
            report.gone,
            "was imported from this file and is not in it any more; the book keeps it (reverse it in the app if it "
            "is wrong):",
            "were imported from this file and are not in it any more; the book keeps them (reverse in the app what "
            "is wrong):",
        ),
        (report.refused, "was refused:", "were refused:"),
    ):
        if items:
            sentence = one if len(items) == 1 else several
            print(f"{plural(len(items), 'transaction')} {sentence}", file=sys.stderr)
            print("\n".join(some([f"  {printable(item)}" for item in items])), file=sys.stderr)
    return 1 if report.held or report.refused else 0
