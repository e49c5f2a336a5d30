"""Ways to change a refused question, one file for each part of it. A candidate is only ever shown if it is accepted."""
