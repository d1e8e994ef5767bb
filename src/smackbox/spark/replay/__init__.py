"""A stream's totals computed again from its history beside the live ones, compared with those, and put in as one."""
