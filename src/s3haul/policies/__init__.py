"""The documents of both accounts: who may assume the role, what it may read, what the key allows. No AWS calls."""
