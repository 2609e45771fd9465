"""Web page and live conversion."""
