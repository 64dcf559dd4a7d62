"""What can be seen of locks: log lines, the order they are taken in."""
