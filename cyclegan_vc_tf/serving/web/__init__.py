"""Web page: convert, train and look after runs in a browser."""
