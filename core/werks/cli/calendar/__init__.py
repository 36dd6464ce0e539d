"""The coverage of streams as a calendar: in the terminal and as one HTML page."""
