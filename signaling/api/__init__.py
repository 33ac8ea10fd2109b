"""The REST API: a table of operations, from which come both what is served and the document that describes it."""
