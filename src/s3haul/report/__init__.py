"""The report on a destination: the content of its journal as an HTML page, JSON or Markdown.
Sends and writes nothing."""
