"""What a report shows: groups of rows, cells, labels, formats and colours."""
