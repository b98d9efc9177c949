"""Other programs' formats: one file a format, with the neutral journal between them and the store."""
