"""Runs a test under Vulkan's validation layer: validated.py WORDS COMMAND [ARGUMENT…], where WORDS go to FOVEA_VULKAN ("validate", "validate,barriers").
Not one message may come, and nothing may run unchecked. Skips, saying so, where the layer is not installed."""
import os
import subprocess
import sys

env = dict(os.environ, FOVEA_VULKAN=sys.argv[1], FOVEA_LOG='info', FOVEA_TEST_VALIDATED='1')
ran = subprocess.run(sys.argv[2:], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors='replace')
lines = ran.stderr.splitlines()
if any('the validation layer is not installed' in line for line in lines):
    print('1..0 # SKIP the validation layer is not installed (Debian: vulkan-validationlayers)')
    sys.exit(0)
print(ran.stdout, end='')
print(ran.stderr, end='', file=sys.stderr)
messages = [line for line in lines if 'vulkan validation: ' in line]
checked = sum('vulkan: checked by the validation layer' in line for line in lines)
unchecked = sum('vulkan: not checked' in line for line in lines)
print('# %d instances checked, %d not, %d messages' % (checked, unchecked, len(messages)))
skipped = '# SKIP' in ran.stdout.split('\n', 1)[0]
sys.exit(ran.returncode or (1 if messages or unchecked or not (checked or skipped) else 0))
