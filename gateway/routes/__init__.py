"""The routes, one noun a file; each turns a request into one call and its result into JSON."""
