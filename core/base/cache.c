#include "base/cache.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

typedef struct Header {
  char kind[FV_CACHE_KIND_BYTES];
  uint64_t size, hash;
} Header;

static uint64_t hash_of(const unsigned char *data, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < size; i++) hash = (hash ^ data[i]) * 0x100000001b3u;
  return hash;
}

/* False when there is no place for a cache. Relative folders would scatter files over working directories. */
static bool cache_path(const char *name, bool make, char path[PATH_MAX]) {
  const char *own = getenv("FOVEA_CACHE_DIR"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  int used;
  if (own && *own == '/')
    used = snprintf(path, PATH_MAX, "%s", own);
  else if (cache && *cache == '/')
    used = snprintf(path, PATH_MAX, "%s", cache);
  else if (home && *home == '/')
    used = snprintf(path, PATH_MAX, "%s/.cache", home);
  else
    return false;
  if (used + strlen(name) + sizeof "/fovea/.XXXXXX" > PATH_MAX) return false;
  if (make) mkdir(path, 0700);
  if (!(own && *own == '/')) {
    used += snprintf(path + used, PATH_MAX - (size_t)used, "/fovea");
    if (make) mkdir(path, 0700);
  }
  snprintf(path + used, PATH_MAX - (size_t)used, "/%s", name);
  return true;
}

void *fv_cache_read(const char *name, const char kind[FV_CACHE_KIND_BYTES], size_t max_bytes, size_t *size) {
  char path[PATH_MAX];
  void *file = NULL;
  size_t bytes = 0;
  *size = 0;
  if (!cache_path(name, false, path) || fv_file_read(path, (int64_t)(max_bytes + sizeof(Header)), &file, &bytes, NULL) < 0) return NULL;
  Header header;
  unsigned char *data = file;
  bool good = bytes > sizeof header;
  if (good) memcpy(&header, data, sizeof header);
  good = good && memcmp(header.kind, kind, sizeof header.kind) == 0 && header.size == bytes - sizeof header &&
         header.hash == hash_of(data + sizeof header, bytes - sizeof header);
  if (!good) {
    free(file);
    return NULL;
  }
  *size = bytes - sizeof header;
  memmove(data, data + sizeof header, *size);
  memset(data + *size, 0, sizeof header); /* the zero bytes behind a file move along */
  return file;
}

void fv_cache_write(const char *name, const char kind[FV_CACHE_KIND_BYTES], const void *data, size_t size) {
  char path[PATH_MAX];
  if (size > FV_CACHE_MAX_BYTES || !cache_path(name, true, path)) return;
  Header header = {.size = size, .hash = hash_of(data, size)};
  memcpy(header.kind, kind, sizeof header.kind);
  const FvFilePart parts[] = {{&header, sizeof header}, {data, size}};
  fv_file_write(path, FV_FILE_REPLACE, parts, 2, NULL);
}
