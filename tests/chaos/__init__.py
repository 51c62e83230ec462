"""The chaos test: the real daemon, killed again and again at real tickets, and judged by what is there in the end."""
