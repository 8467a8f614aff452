"""From failed requests to causes: the table of diagnoses, and the pure rules that find the right entry."""
