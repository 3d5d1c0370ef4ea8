"""What a component's body calls: load the artifacts, call the room that does the work, save and label what it made.

One module a stage, each with one function `run`. Nothing here decides anything.
"""
