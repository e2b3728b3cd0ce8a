"""A year in the life of a PMO, which is data (``workflows/year``): read, played, told, drawn."""
