# SPDX-License-Identifier: GPL-2.0
"""Tables of rows of text, for those that print one and write a page with it."""


def rst_table(head, rows):
    """For a page: there may be more columns than stand side by side."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [head] + rows:
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def text_table(head, rows):
    """For a terminal."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip()
                     for row in [head] + rows)
