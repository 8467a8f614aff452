"""The report on a destination: what its journal tells, as one page, as JSON or as Markdown. Asks nobody, writes nothing."""
