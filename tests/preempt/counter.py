"""Code with a lucky instruction: without a switch between two opcodes its count is right."""


class Counter:
    def __init__(self):
        self.count = 0

    def add(self):
        count = self.count
        self.count = count + 1
