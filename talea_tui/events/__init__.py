"""The event stream without a screen: filters, lines, JSON, rates and the merged order of several books.

Nothing here imports a terminal library, so that plain commands and tests can use all of it.
"""

from __future__ import annotations
