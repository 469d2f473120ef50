"""Swift: the Swift package registry protocol."""
