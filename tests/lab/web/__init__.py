"""HTTP: TLS, the listeners, decoding requests."""
