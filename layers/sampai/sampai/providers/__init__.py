"""How each vendor says it: one file per vendor. Pure: requests are built and answers are read; nothing is sent."""
