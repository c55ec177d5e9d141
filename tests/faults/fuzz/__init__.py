"""Files of strangers, changed at random: each gives a result or an error of one line.

`python -m faults.fuzz` runs any number of them (`make fuzz`). An input is known by its reader, the
seed and its number, so that each one can be made again.
"""
