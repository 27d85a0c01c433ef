/* What is worth keeping from run to run but can be made anew: small files in $FOVEA_CACHE_DIR, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea.
 *
 * A file begins with a kind, its length and a checksum; one that is damaged, too large or of another kind counts as absent. Writing replaces it atomically,
 * and failing to write is nobody's trouble. Names are plain file names. */
#ifndef FOVEA_BASE_CACHE_H
#define FOVEA_BASE_CACHE_H

#include <stddef.h>
#include <stdint.h>

enum { FV_CACHE_KIND_BYTES = 8, FV_CACHE_MAX_BYTES = 256 << 20 };

/* malloc'ed, with 64 zero bytes behind it; NULL where there is nothing, or more than max_bytes. */
void *fv_cache_read(const char *name, const char kind[FV_CACHE_KIND_BYTES], size_t max_bytes, size_t *size);
void fv_cache_write(const char *name, const char kind[FV_CACHE_KIND_BYTES], const void *data, size_t size);

#endif
