"""The lab: the lessons' way of the heavy job beside ours, in the product, on a table of its own."""
