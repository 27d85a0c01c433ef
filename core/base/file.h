/* Whole files, bounded. */
#ifndef FOVEA_BASE_FILE_H
#define FOVEA_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <fovea/error.h>

/* Reads a regular file of at most max_bytes. *data is malloc'ed with 64 zero bytes behind it (not counted in *size); free() it. */
int fv_file_read(const char *path, int64_t max_bytes, void **data, size_t *size, FvError *err);

typedef struct FvFilePart {
  const void *data;
  size_t size;
} FvFilePart;
typedef enum FvFileMode {
  FV_FILE_REPLACE,     /* takes the place of a file that is there */
  FV_FILE_NEW,         /* fails when there is one */
  FV_FILE_NEW_PRIVATE, /* the same, and only its owner may read it */
} FvFileMode;
/* Writes parts one after another, atomically: when it returns the whole file is on the disk under its name, or nothing has changed. */
int fv_file_write(const char *path, FvFileMode mode, const FvFilePart *parts, int count, FvError *err);

/* Counts and sizes from outside: false when the result would overflow. */
static inline int fv_mul_ok(int64_t a, int64_t b, int64_t *result) { return !__builtin_mul_overflow(a, b, result); }
static inline int fv_add_ok(int64_t a, int64_t b, int64_t *result) { return !__builtin_add_overflow(a, b, result); }

#endif
