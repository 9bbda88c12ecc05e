"""The magics: parsing, injection, output."""
