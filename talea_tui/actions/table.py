"""The actions, a tuple a scope, in the order in which help tells them."""

from __future__ import annotations

from .action import Action

APP: tuple[Action, ...] = (
    Action(
        "app.books",
        ("1",),
        "Books",
        "Every book of this ledger.",
        "go('books')",
        footer=True,
        joint="screens",
    ),
    Action("app.accounts", ("2",), "Accounts", "The chart of accounts and its registers.", "go('accounts')"),
    Action("app.find", ("3",), "Transaction", "Open a transaction by seq, key or id.", "find_transaction"),
    Action("app.post", ("p", "4"), "Post", "The posting form.", "go('post')", footer=True, writes=True),
    Action("app.tail", ("5",), "Tail", "The live stream of events.", "go('tail')"),
    Action(
        "app.trial_balance",
        ("6",),
        "Trial balance",
        "Trial balance, income statement and balance sheet.",
        "go('trial_balance')",
    ),
    Action(
        "app.storage", ("7",), "Storage", "Segments, snapshots and the state of each writer.", "go('storage')"
    ),
    Action(
        "app.assets",
        ("8",),
        "Assets",
        "The registry of assets.",
        "go('assets')",
        footer=True,
        joint="screens",
    ),
    Action(
        "app.as_of",
        ("at",),
        "As of",
        "Show the ledger as it was at a date, a time or a seq.",
        "as_of",
        footer=True,
    ),
    Action(
        "app.palette",
        ("colon", "ctrl+p"),
        "Palette",
        "Every action, book and account.",
        "palette",
        footer=True,
    ),
    Action(
        "app.help", ("question_mark", "f1", "9"), "Help", "The keys of the focused pane.", "help", footer=True
    ),
    Action("app.live", (), "Back to live", "Leave the past and show the ledger as it is now.", "live"),
    Action(
        "app.escape",
        ("escape",),
        "Back",
        "Come back to where you were; from the past, to now.",
        "escape",
        palette=False,
    ),
    Action("app.back", ("left",), "Back", "Come back to where you were.", "back"),
    Action(
        "app.reopen",
        (),
        "Reopen the book",
        "Bring back a book that stopped or is damaged; the storage screen shows how it goes.",
        "reopen_book",
    ),
    Action(
        "app.cancel_export",
        ("X",),
        "Cancel export",
        "Stop the export that was begun last; no file is left.",
        "cancel_export",
    ),
    Action("app.theme", ("T",), "Theme", "Next theme: dark, light, ansi.", "next_theme"),
    Action(
        "app.signs",
        ("i",),
        "Signs",
        "Show credit-normal accounts as negative (as hledger does) or as positive.",
        "toggle_signs",
    ),
    Action(
        "app.next_pane",
        ("tab",),
        "Next pane",
        "Focus the next pane or field.",
        "app.focus_next",
        palette=False,
    ),
    Action(
        "app.previous_pane",
        ("shift+tab",),
        "Previous pane",
        "Focus the pane or field before.",
        "app.focus_previous",
        palette=False,
    ),
    Action("app.quit", ("q", "ctrl+q"), "Quit", "Leave; nothing is lost.", "quit"),
    Action(
        "app.interrupt",
        ("ctrl+c",),
        "Interrupt",
        "Copy a selection; twice leaves.",
        "interrupt",
        palette=False,
        priority=True,
    ),
)

TABLE: tuple[Action, ...] = (
    Action("table.up", ("up", "k"), "Up", "One row up.", "cursor_up", palette=False),
    Action("table.down", ("down", "j"), "Down", "One row down.", "cursor_down", palette=False),
    Action("table.page_up", ("pageup", "b"), "Page up", "One page up.", "page_up", palette=False),
    Action(
        "table.page_down", ("pagedown", "space"), "Page down", "One page down.", "page_down", palette=False
    ),
    Action("table.first", ("home", "g"), "First row", "Go to the first row.", "first", palette=False),
    Action("table.last", ("end", "G"), "Last row", "Go to the last row.", "last", palette=False),
    Action("table.open", ("enter", "right"), "Open", "Open the row under the cursor.", "open", footer=True),
    Action(
        "table.go_to",
        ("number_sign",),
        "Go to row",
        "Go to a row by its number, in a register also to a date.",
        "go_to_row",
    ),
    Action(
        "table.column_left",
        ("left_square_bracket",),
        "Column left",
        "Mark the column to the left.",
        "column(-1)",
    ),
    Action(
        "table.column_right",
        ("right_square_bracket",),
        "Column right",
        "Mark the column to the right.",
        "column(1)",
    ),
    Action("table.copy_cell", ("y",), "Copy cell", "Copy the cell under the cursor.", "copy_cell"),
    Action("table.copy_row", ("Y",), "Copy row", "Copy the row under the cursor.", "copy_row"),
    Action("table.export", ("e",), "Export", "Write what is shown to a CSV file.", "export"),
)

BOOKS: tuple[Action, ...] = (
    Action(
        "books.new",
        ("n",),
        "New book",
        "Begin a book by opening its first account.",
        "new_book",
        footer=True,
        writes=True,
    ),
)

ACCOUNTS: tuple[Action, ...] = (
    Action(
        "accounts.filter",
        ("slash",),
        "Filter",
        "Show only accounts whose path holds the text.",
        "filter",
        footer=True,
    ),
    Action(
        "accounts.open_account",
        ("o",),
        "Open account",
        "Open a new account.",
        "open_account",
        footer=True,
        writes=True,
    ),
    Action(
        "accounts.flat", ("t",), "Tree or flat", "Show accounts as a tree or as a flat list.", "toggle_flat"
    ),
    Action(
        "accounts.hide_zero", ("z",), "Hide zero", "Hide or show accounts with a zero balance.", "toggle_zero"
    ),
    Action(
        "accounts.register",
        ("w",),
        "Register alone",
        "Show the register alone, as wide as the screen.",
        "wide",
        footer=True,
    ),
)

ACCOUNT_TREE: tuple[Action, ...] = (
    Action(
        "account_tree.toggle",
        ("space",),
        "Fold",
        "Fold or unfold the account under the cursor.",
        "toggle_fold",
    ),
    Action(
        "account_tree.fold",
        ("minus",),
        "Collapse",
        "Fold the account under the cursor.",
        "fold",
        palette=False,
    ),
    Action(
        "account_tree.unfold",
        ("plus",),
        "Expand",
        "Unfold the account under the cursor.",
        "unfold",
        palette=False,
    ),
    Action("account_tree.fold_all", ("underscore",), "Collapse all", "Fold every account.", "fold_all"),
    Action("account_tree.unfold_all", ("asterisk",), "Expand all", "Unfold every account.", "unfold_all"),
)

REGISTER: tuple[Action, ...] = (
    Action(
        "register.reverse",
        ("r",),
        "Reverse",
        "Post the opposite of the transaction under the cursor, after a preview.",
        "reverse",
        footer=True,
        writes=True,
    ),
    Action(
        "register.correct",
        ("c",),
        "Correct",
        "Reverse it and open the form with its contents.",
        "correct",
        writes=True,
    ),
    Action(
        "register.duplicate",
        ("d",),
        "Duplicate",
        "Open the form with its contents.",
        "duplicate",
        writes=True,
    ),
)

TRANSACTION: tuple[Action, ...] = (
    Action(
        "transaction.reverse",
        ("r",),
        "Reverse",
        "Post the opposite transaction, after a preview.",
        "reverse",
        footer=True,
        writes=True,
    ),
    Action(
        "transaction.correct",
        ("c",),
        "Correct",
        "Reverse it and open the form with its contents.",
        "correct",
        footer=True,
        writes=True,
    ),
    Action(
        "transaction.duplicate",
        ("d",),
        "Duplicate",
        "Open the form with its contents.",
        "duplicate",
        footer=True,
        writes=True,
    ),
    Action("transaction.previous", ("comma",), "Previous", "The transaction before this one.", "step(-1)"),
    Action("transaction.next", ("full_stop",), "Next", "The transaction after this one.", "step(1)"),
    Action("transaction.copy_all", ("C",), "Copy all", "Copy the whole transaction as text.", "copy_all"),
)

POST: tuple[Action, ...] = (
    Action(
        "post.post",
        ("enter", "ctrl+s"),
        "Post",
        "Post the entry, or go to what it still lacks.",
        "post",
        footer=True,
        writes=True,
    ),
    Action(
        "post.accept",
        ("tab",),
        "Take",
        "Take what is offered, else go to the next field.",
        "accept",
        footer=True,
        writes=True,
    ),
    Action(
        "post.fill",
        ("equals_sign",),
        "Missing",
        "Put the missing amount into the row, else that of the last time.",
        "fill",
        footer=True,
        writes=True,
    ),
    Action("post.up", ("up",), "Up", "The offer or the row above.", "step(-1)", palette=False),
    Action("post.down", ("down",), "Down", "The offer or the row below.", "step(1)", palette=False),
    Action(
        "post.another",
        ("ctrl+n", "n"),
        "Another",
        "Begin another entry; this one waits. From a blank one: go round those that wait.",
        "another",
        footer=True,
    ),
    Action(
        "post.discard",
        ("ctrl+t", "D"),
        "Throw away",
        "Throw the entry away; nothing is posted.",
        "discard",
        footer=True,
    ),
)

CHOICE: tuple[Action, ...] = (
    Action("choice.previous", ("left",), "Previous", "The word before.", "step(-1)", palette=False),
    Action(
        "choice.next",
        ("right", "space"),
        "Next",
        "The word after; a letter goes to its word.",
        "step(1)",
        palette=False,
    ),
    Action("choice.submit", ("enter",), "Done", "Take it.", "submit", palette=False),
)

EVENTS: tuple[Action, ...] = (
    Action("events.up", ("up", "k"), "Up", "One event back; stops following.", "cursor_up", palette=False),
    Action("events.down", ("down", "j"), "Down", "One event on.", "cursor_down", palette=False),
    Action("events.page_up", ("pageup", "b"), "Page up", "One page back.", "page_up", palette=False),
    Action("events.page_down", ("pagedown",), "Page down", "One page on.", "page_down", palette=False),
    Action("events.first", ("home",), "Start", "Go to the first event.", "first", palette=False),
    Action(
        "events.follow", ("f", "end"), "Follow", "Go to the newest event and follow.", "follow", footer=True
    ),
    Action("events.pause", ("space",), "Pause", "Stop following, or follow again.", "pause", footer=True),
    Action("events.open", ("enter", "right"), "Open", "Show the event under the cursor decoded.", "open"),
)

TAIL: tuple[Action, ...] = (
    Action(
        "tail.filter",
        ("slash",),
        "Filter",
        "Show only events that match: text, account:a*, kind:tx, asset:USD, amount>10, key:, ref:, -not.",
        "filter",
        footer=True,
    ),
    Action(
        "tail.search", ("s",), "Search", "Find a regular expression; newest first.", "search", footer=True
    ),
    Action("tail.next", ("n",), "Next match", "Go to the next newer match.", "step_match(1)"),
    Action("tail.previous", ("N",), "Previous match", "Go to the next older match.", "step_match(-1)"),
    Action("tail.go_to", ("g",), "Go to", "Go to a seq, a date or a time.", "go_to", footer=True),
    Action(
        "tail.minute_back", ("comma",), "Minute back", "One minute back.", "step_time(-60)", palette=False
    ),
    Action("tail.minute_on", ("full_stop",), "Minute on", "One minute on.", "step_time(60)", palette=False),
    Action(
        "tail.hour_back",
        ("less_than_sign",),
        "Hour back",
        "One hour back.",
        "step_time(-3600)",
        palette=False,
    ),
    Action(
        "tail.hour_on", ("greater_than_sign",), "Hour on", "One hour on.", "step_time(3600)", palette=False
    ),
    Action(
        "tail.day_back",
        ("left_square_bracket",),
        "Day back",
        "One day back.",
        "step_time(-86400)",
        palette=False,
    ),
    Action(
        "tail.day_on", ("right_square_bracket",), "Day on", "One day on.", "step_time(86400)", palette=False
    ),
    Action(
        "tail.all_books",
        ("a",),
        "All books",
        "Show all books merged, or this one alone.",
        "toggle_all",
        footer=True,
    ),
    Action("tail.book", ("o",), "Other book", "Show another book in this tail, or all.", "choose_book"),
    Action("tail.highlight", ("h",), "Highlight", "Make events that match a filter stand out.", "highlight"),
    Action("tail.copy_line", ("y",), "Copy line", "Copy the event under the cursor as a line.", "copy_line"),
    Action("tail.copy_json", ("Y",), "Copy JSON", "Copy the event under the cursor as JSON.", "copy_json"),
    Action("tail.export", ("e",), "Export", "Write the events shown to a file, as JSON lines.", "export"),
)

TAILS: tuple[Action, ...] = (
    Action(
        "tails.add",
        ("vertical_line", "v"),
        "Add a tail",
        "One more tail beside or below, with a book, filter and place of its own.",
        "add_tail",
        footer=True,
    ),
    Action("tails.close", ("w",), "Close this tail", "Close the tail the keys go to.", "close_tail"),
    Action(
        "tails.next", ("t",), "Next tail", "Let the keys go to the next tail; tab does so too.", "next_tail"
    ),
    Action(
        "tails.details",
        ("d",),
        "Details",
        "Show the event under the cursor, and where it stands on disk, beside the stream.",
        "toggle_details",
    ),
    Action(
        "tails.rules", ("H",), "Highlights", "List the rules by which events stand out; remove some.", "rules"
    ),
)

RULES: tuple[Action, ...] = (
    Action("rules.remove", ("x",), "Remove", "Remove the rule under the cursor.", "remove", palette=False),
    Action("rules.cancel", ("escape",), "Close", "Close the list.", "cancel", palette=False),
)

EVENT: tuple[Action, ...] = (
    Action(
        "event.transaction",
        ("t",),
        "Transaction",
        "Show the transaction, to reverse or correct it.",
        "transaction",
        footer=True,
    ),
    Action(
        "event.previous",
        ("comma",),
        "Previous",
        "The event before this one.",
        "step(-1)",
        footer=True,
        joint="step",
    ),
    Action(
        "event.next",
        ("full_stop",),
        "Next",
        "The event after this one.",
        "step(1)",
        footer=True,
        joint="step",
    ),
    Action("event.copy_json", ("C",), "Copy JSON", "Copy the event as JSON.", "copy_json", footer=True),
)

TRIAL_BALANCE: tuple[Action, ...] = (
    Action(
        "trial_balance.view",
        ("v",),
        "View",
        "Trial balance, balance sheet, income statement.",
        "next_view",
        footer=True,
    ),
    Action(
        "trial_balance.period",
        ("d",),
        "Period",
        "Name a period: a year, a quarter, a month or two dates.",
        "choose_period",
        footer=True,
    ),
    Action(
        "trial_balance.shorter",
        ("plus",),
        "Shorter",
        "A shorter period: all, a year, a quarter, a month.",
        "shorter",
        footer=True,
        joint="length",
    ),
    Action(
        "trial_balance.longer",
        ("minus",),
        "Longer",
        "A longer period: a month, a quarter, a year, all.",
        "longer",
        footer=True,
        joint="length",
    ),
    Action(
        "trial_balance.previous",
        ("comma",),
        "Previous",
        "The period before this one.",
        "step_period(-1)",
        footer=True,
        joint="step",
    ),
    Action(
        "trial_balance.next",
        ("full_stop",),
        "Next",
        "The period after this one.",
        "step_period(1)",
        footer=True,
        joint="step",
    ),
    Action(
        "trial_balance.empty",
        ("z",),
        "Zeros",
        "Show or hide accounts without a balance.",
        "toggle_empty",
        footer=True,
    ),
)

STORAGE: tuple[Action, ...] = (
    Action(
        "storage.snapshot",
        ("s",),
        "Snapshot now",
        "Write a snapshot of this book.",
        "snapshot",
        footer=True,
        writes=True,
    ),
    Action(
        "storage.verify",
        ("v",),
        "Verify",
        "Read this book's whole log again and prove it.",
        "verify",
        footer=True,
        owns=True,
    ),
    Action(
        "storage.verify_all",
        ("V",),
        "Verify all",
        "Prove every book, one after the other.",
        "verify_all",
        owns=True,
    ),
    Action(
        "storage.reopen",
        ("r",),
        "Reopen",
        "Bring back a book that stopped or is damaged, once its disk or its files are mended.",
        "reopen",
        footer=True,
        writes=True,
    ),
    Action("storage.backup", ("B",), "Backup", "Copy the ledger to a new directory.", "backup", footer=True),
    Action("storage.cancel", ("x",), "Cancel", "Stop the work under way.", "cancel_work"),
    Action(
        "storage.copy_head",
        ("c",),
        "Copy head",
        "Copy the head digest, to verify against later.",
        "copy_head",
    ),
)

ASSETS: tuple[Action, ...] = (
    Action(
        "assets.register", ("n",), "New asset", "Register an asset.", "register", footer=True, writes=True
    ),
)

FORM: tuple[Action, ...] = (
    Action(
        "form.submit",
        ("ctrl+s", "enter"),
        "Done",
        "Take the form as it stands.",
        "submit_form",
        palette=False,
    ),
)

REVERSE: tuple[Action, ...] = (
    Action(
        "reverse.accept",
        ("enter",),
        "Accept",
        "Post the reversal that is previewed.",
        "accept",
        palette=False,
    ),
)

DIALOG: tuple[Action, ...] = (
    Action("dialog.cancel", ("escape",), "Cancel", "Close without an answer.", "cancel", palette=False),
)

FILTER: tuple[Action, ...] = (
    Action(
        "filter.leave",
        ("enter", "down"),
        "To the list",
        "From the filter to what it found.",
        "screen.leave_filter",
        footer=True,
        palette=False,
    ),
)

PROMPT: tuple[Action, ...] = (
    Action("prompt.submit", ("enter",), "Go on", "Do what was typed.", "submit", footer=True, palette=False),
)

PALETTE: tuple[Action, ...] = (
    Action("palette.cancel", ("escape",), "Close", "Close the palette.", "cancel", palette=False),
    Action("palette.up", ("up",), "Up", "One row up.", "move(-1)", palette=False, priority=True),
    Action("palette.down", ("down",), "Down", "One row down.", "move(1)", palette=False, priority=True),
    Action(
        "palette.page_up", ("pageup",), "Page up", "One page up.", "page(-1)", palette=False, priority=True
    ),
    Action(
        "palette.page_down",
        ("pagedown",),
        "Page down",
        "One page down.",
        "page(1)",
        palette=False,
        priority=True,
    ),
)

OPENING: tuple[Action, ...] = (
    Action("opening.retry", ("r",), "Try again", "Try to open the ledger again.", "retry", footer=True),
    Action(
        "opening.follow", ("f",), "Follow", "Show it read only while it is written.", "follow", footer=True
    ),
)

DEMO: tuple[Action, ...] = (
    Action("demo.pause", ("0",), "Pause", "Pause the demo's traffic, or let it go on.", "pause_traffic"),
    Action("demo.slower", ("left_parenthesis",), "Slower", "Fewer entries a second.", "step_traffic(-1)"),
    Action("demo.faster", ("right_parenthesis",), "Faster", "More entries a second.", "step_traffic(1)"),
)

REGISTRY: tuple[tuple[Action, ...], ...] = (
    APP,
    TABLE,
    BOOKS,
    ACCOUNTS,
    ACCOUNT_TREE,
    REGISTER,
    TRANSACTION,
    POST,
    CHOICE,
    EVENTS,
    TAIL,
    TAILS,
    RULES,
    EVENT,
    TRIAL_BALANCE,
    STORAGE,
    ASSETS,
    FORM,
    REVERSE,
    DIALOG,
    FILTER,
    PROMPT,
    PALETTE,
    OPENING,
    DEMO,
)
