/* Models to and from .fovea files in a folder that goes away. */
#ifndef FOVEA_TESTS_CONTAINER_SUPPORT_H
#define FOVEA_TESTS_CONTAINER_SUPPORT_H

#include <glib.h>

#include <fovea/fovea.h>

/* The folder, and a path in it; g_free() it. */
char *support_path(const char *name);
void support_finish(void);

/* The model of build_small(), from memory. */
FvModel *support_small_model(void);
/* A model with whatever a .fovea file stores in forms of its own: the fuzzers' seed "levels". */
FvModel *support_levels_model(void);
/* Writes the small model into name; aborts on failure. */
char *support_small_file(const char *name, const FvContainerParams *params);
/* Opens; expects code, and the words (NULL-terminated) in the sentence. Drops the model. */
void support_expect(const char *path, const FvModelParams *params, int code, ...) G_GNUC_NULL_TERMINATED;

/* Largest difference of any output, over the largest magnitude of that output, for the same pseudo-random inputs. NaNs must agree. */
double support_difference(FvModel *a, FvModel *b);

#endif
