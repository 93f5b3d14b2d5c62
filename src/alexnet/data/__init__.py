"""Pictures, from files to batches.

`sources` find undecoded pictures, `decode` makes pixels of them, `preparation` writes a `store`, `batches` read it and
`augment` turns a batch into the view that a network gets.
"""
