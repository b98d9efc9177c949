"""The plain commands: text in, text out, no terminal library. One file a command."""
