"""Log -> the world, the world -> commands: every side effect lives here.

Empty until subscribers are served; `engine.store.tail` is the reader that all of them will follow.
"""
