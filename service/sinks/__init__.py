"""Where results go; every sink has a thread and a bounded queue of its own."""
