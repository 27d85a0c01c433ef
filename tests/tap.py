"""Runs the functions test_* of a script, each with a folder of its own, and prints TAP."""
import concurrent.futures
import tempfile


def outcome(test):
    with tempfile.TemporaryDirectory() as tmp:
        try:
            return True, test(tmp)
        except Exception as error:  # a failed assertion, or an answer that cannot be read
            return False, '%s: %s' % (type(error).__name__, error)


def run(names, at_once=1):
    """names: the script's globals(). A test returns None, or why it was skipped. at_once: so many that mostly wait run at the same time; those with an attribute `alone` do not."""
    tests = [(name, test) for name, test in sorted(names.items()) if name.startswith('test_')]
    print('1..%d' % len(tests), flush=True)
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        begun = {name: pool.submit(outcome, test) for name, test in tests if not hasattr(test, 'alone')}
        for i, (name, test) in enumerate(tests):
            if hasattr(test, 'alone'):
                concurrent.futures.wait(begun.values())
            good, text = begun[name].result() if name in begun else outcome(test)
            title = '%d - %s' % (i + 1, name[5:].replace('_', '-'))
            if good:
                print('ok %s%s' % (title, ' # SKIP ' + text if text else ''), flush=True)
            else:
                print('not ok %s\n# %s' % (title, text.replace('\n', '\n# ')), flush=True)
