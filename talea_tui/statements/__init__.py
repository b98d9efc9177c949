"""What a book's accounts say together: statements, over which days, and the sums by day that these need.

`statement.py` is the form, `period.py` the days, `turnover.py` the sums; none of them knows of a screen.
"""
