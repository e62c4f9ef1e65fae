"""Studies: what they compare, how their runs are started, and what is made of the results."""
