"""Web page: convert, train, look after runs, and convert live in a browser."""
