"""A progress line on standard error: drawn over itself on a terminal, now and then elsewhere."""
import sys
import time


class Progress:
    def __init__(self, total, what, first=0, every=10.0):
        """first: what was done before, of which nothing can be said about time."""
        self.total, self.what, self.first, self.every = max(int(total), 1), what, first, every
        self.begun = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def step(self, done, text=""):
        now = time.monotonic()
        if done < self.total and now - self.shown < (0.2 if self.terminal else self.every):
            return
        self.shown = now
        left = (now - self.begun) / max(done - self.first, 1) * (self.total - done)
        bar = "#" * int(24 * done / self.total)
        line = f"{self.what} [{bar:<24}] {done}/{self.total} {int(left) // 60}:{int(left) % 60:02d} left {text}"
        print(f"\r{line:<110}" if self.terminal else line, end="" if self.terminal and done < self.total else "\n", file=sys.stderr, flush=True)
