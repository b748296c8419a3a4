"""Tables of the pages, for tests that look into them."""

from compress.report.pages.tables.table import Table


def cells(table: Table) -> list[dict[str, str]]:
    """Each row by the heads of the columns."""
    return [dict(zip([column.text for column in table.columns], row, strict=True)) for row in table.rows]
