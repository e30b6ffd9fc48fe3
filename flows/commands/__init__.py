"""One module per command. What they print is made by `views`."""
