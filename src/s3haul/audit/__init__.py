"""`verify`: reads copied files again and compares them with what the journal knows."""
