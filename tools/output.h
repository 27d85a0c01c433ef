/* Files that a command writes. */
#ifndef FOVEA_TOOLS_OUTPUT_H
#define FOVEA_TOOLS_OUTPUT_H

/* Before any work is done: says in one sentence why path, which option named, cannot be written, and returns an exit code. Nothing is
 * opened or emptied. Path may be NULL: then there is nothing to say. */
int fv_output_check(const char *command, const char *option, const char *path);
/* Writes text; "-" is standard output. Devices and pipes are written to, too. Returns an exit code. */
int fv_output_write(const char *command, const char *path, const char *text);

#endif
