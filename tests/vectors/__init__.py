"""Cases that others wrote: data only, found beside the checkout or through a variable, never copied into it."""
