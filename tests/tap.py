"""Runs the functions test_* of a script, each with a folder of its own, and prints TAP."""
import tempfile


def run(names):
    """names: the script's globals(). A test returns None, or why it was skipped."""
    tests = [(name, test) for name, test in sorted(names.items()) if name.startswith('test_')]
    print('1..%d' % len(tests))
    for i, (name, test) in enumerate(tests):
        title = '%d - %s' % (i + 1, name[5:].replace('_', '-'))
        with tempfile.TemporaryDirectory() as tmp:
            try:
                skipped = test(tmp)
                print('ok %s%s' % (title, ' # SKIP ' + skipped if skipped else ''), flush=True)
            except Exception as error:  # a failed assertion, or an answer that cannot be read
                print('not ok %s\n# %s: %s' % (title, type(error).__name__, str(error).replace('\n', '\n# ')), flush=True)
