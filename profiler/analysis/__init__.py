"""From raw records to numbers, verdicts and one choice. Pure: rows in, rows out."""
