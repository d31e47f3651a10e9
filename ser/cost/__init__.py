"""What a training costs before it begins: its steps counted from the lists, one of them timed on this machine.

A method's file here has its name, and decides no result; a method without one has no steps to count.
"""
