"""The demo: a throw-away ledger of four believable books, live traffic on it, and a tour of the screens.

`bookkeeper` makes entries; `household`, `studio`, `crypto_desk` and `payments` say what happens in each book;
`history` writes a year of it, `traffic` goes on from there; `app` shows it, `tour` walks through it.
"""
