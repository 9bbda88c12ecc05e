"""The house style, held by a tool: `make lint` looks for the words in `words.toml` wherever a person reads."""
