"""Where tasks run: in this process, or in several beside it; each is a plugin."""
