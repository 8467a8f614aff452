"""Lists that name the objects, in place of the bucket's listing: key lists, manifests, inventories.

These modules read files of other programs. They send no requests, and check only the form of a list: the
engine checks whether an object exists, and its properties.
"""
