"""The logic of the posting form, without a screen: drafts, completion, prefill, differences, corrections.

Read `draft` (what was typed), `assessment` (what it means against the book), then `usage` and `completion`
(what is offered), `correction` (reverse, correct, duplicate) and `drafts` (what survives a crash).
"""
